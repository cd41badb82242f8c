//! Every input that fuzzing found worth keeping, held against its property again: what was mended
//! once stays mended, without nightly and without a fuzzer.

use std::fs;
use std::path::Path;

fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is there") {
        let path = entry.expect("an entry can be read").path();
        let input = fs::read(&path).expect("an input can be read");
        println!("{}", path.display());
        property(&input);
        inputs += 1;
    }
    assert!(
        inputs >= 10,
        "{} has only {inputs} inputs",
        folder.display()
    );
}

#[test]
fn url_policy() {
    replay("url_policy", whisperer_properties::url_policy);
}

#[test]
fn event_json() {
    replay("event_json", whisperer_properties::event_json);
}

#[test]
fn header_filter() {
    replay("header_filter", whisperer_properties::header_filter);
}

#[test]
fn plugin_patch() {
    replay("plugin_patch", whisperer_properties::plugin_patch);
}

#[test]
fn filter_expr() {
    replay("filter_expr", whisperer_properties::filter_expr);
}

#[test]
fn cloud_event() {
    replay("cloud_event", whisperer_properties::cloud_event);
}
