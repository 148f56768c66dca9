//! Whole documents: the shared fixtures and corpus, and the seeds of the fuzz targets.

#[cfg(test)]
mod data;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod seeds;
