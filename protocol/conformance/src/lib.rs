//! Which requirements of the specifications a test has shown.
//!
//! `conforms!("MS-ASCMD_R123")` stands behind the assertion that shows the requirement. It is reached only if that held, and then
//! writes the id into the folder that the environment variable `CONFORMANCE` names; without the variable it does nothing.
//! The program of this crate makes `protocol/activesync/conformance.tsv` of the ids: a requirement whose id stands in the
//! sources and was not written is unmet. The texts of the requirements are Microsoft's and are not here.

use std::env;
use std::fs::{File, OpenOptions, create_dir_all};
use std::io::Write;
use std::path::PathBuf;
use std::process;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Says that the assertion before it shows these requirements.
#[macro_export]
macro_rules! conforms {
    ($($id:literal),+ $(,)?) => { $($crate::shown($id, file!());)+ };
}

/// Notes that a requirement was shown by a test of this file. Use [`conforms!`], but for ids that stand in a table.
///
/// # Panics
/// If the folder is named and cannot be written to.
pub fn shown(id: &str, file: &str) {
    static NOTES: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    let Some(notes) = NOTES.get_or_init(open) else { return };
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(notes, "{id}\t{file}").expect("the folder CONFORMANCE can be written to");
}

/// The file of this process.
fn open() -> Option<Mutex<File>> {
    let folder = PathBuf::from(env::var_os("CONFORMANCE")?);
    create_dir_all(&folder).expect("the folder CONFORMANCE can be made");
    let path = folder.join(format!("{}.tsv", process::id()));
    let file = OpenOptions::new().create(true).append(true).open(path);
    Some(Mutex::new(file.expect("the folder CONFORMANCE can be written to")))
}
