//! Stories: what people with phones would see, told over real sockets on a gateway of the test's own.

mod mail_that_never_comes;
mod mail_that_will_not_go;
mod post;
mod taken_back;
mod town;
