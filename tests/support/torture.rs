//! How often a test does what it does again and again: so often that every run of the tests bears
//! it, or, in `make torture`, as often as it takes to see a small leak or a rare race.

pub(crate) fn often(each_time: usize, tortured: usize) -> usize {
    // Without the prefix of settings: the server refuses what it does not know.
    if std::env::var_os("TORTURE").is_some_and(|it| !it.is_empty()) {
        tortured
    } else {
        each_time
    }
}
