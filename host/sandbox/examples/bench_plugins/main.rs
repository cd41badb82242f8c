//! `make bench-plugins`: what plugins cost, as a table against what they may.
//!
//! A chain's time runs from the call of the Transform port to its answer, less the same with an
//! empty chain; each call in a fresh instance, one after another. What is compared is measured in
//! turns, because machines drift.
//!
//! Arguments: the folder of the shipped plugins, the guest `unchanged`, and, if they were built,
//! the components in JavaScript and Python.

mod bench;
mod beside;
mod memory;
mod rows;
#[path = "../../tests/isolation/wat.rs"]
mod wat;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().ok_or("which folder of plugins?")?;
    if first == memory::CHILD {
        return memory::child(arguments.next().ok_or("which folder?")?.into());
    }
    let files = rows::Files {
        shipped: first.into(),
        unchanged: arguments.next().ok_or("which guest does nothing?")?.into(),
        javascript: arguments
            .next()
            .map(PathBuf::from)
            .filter(|it| it.is_file()),
        python: arguments
            .next()
            .map(PathBuf::from)
            .filter(|it| it.is_file()),
    };
    println!("{:<62} {:>12} {:>10}", "what", "measured", "at most");
    for row in rows::all(&files)? {
        println!("{:<62} {:>12} {:>10}", row.what, row.measured, row.at_most);
    }
    Ok(())
}
