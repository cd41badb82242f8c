//! JSON that a parser would change if it wrote it anew: spellings of numbers, duplicate keys,
//! escapes that need not be, separators of lines that are no line ends. From one seed.

const NUMBERS: [&str; 14] = [
    "1.0",
    "1e2",
    "1E+2",
    "-0",
    "-0.0",
    "0.10",
    "1e-7",
    "100000000000000000000000000000",
    "123456789012345678901234567890",
    "-123456789012345678901234567890.000000000000000000000000000001",
    "9007199254740993",
    "18446744073709551616",
    "1.7976931348623157e308",
    "4.9e-324",
];
const STRINGS: [&str; 18] = [
    r#""\u2028""#,
    "\"\u{2028}\u{2029}\"",
    r#""\u00e9""#,
    "\"é\"",
    "\"e\u{301}\"",
    r#""\/""#,
    r#""</script>""#,
    r#""\ud83d\ude00""#,
    "\"😀\"",
    r#""\u0000""#,
    r#""\b\f\n\r\t\"\\""#,
    "\"\u{7f}\"",
    "\"\u{feff}\"",
    "\"\u{202e}\u{200b}\"",
    "\"\u{fffd}\u{ffff}\u{10ffff}\"",
    r#""\u0041""#,
    r#""""#,
    r#""sha256=0 v1,x v1a,y""#,
];
const OTHERS: [&str; 8] = [
    "null",
    "true",
    "false",
    "{}",
    "[ ]",
    r#"{"a":1,"a":2,"a":{"a":1.0}}"#,
    r#"{"":"","\u0061":1,"a":1}"#,
    "{\t\"b\" :\r\n1 ,\n\"a\": 2 }",
];
const SPACES: [&str; 6] = ["", "", " ", "\t", "\n", "\r\n  "];

/// Each of the pieces alone, then `count` values made of them.
pub(crate) fn all(count: usize) -> Vec<String> {
    let pieces = || NUMBERS.iter().chain(&STRINGS).chain(&OTHERS).copied();
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let alone = pieces().map(str::to_owned).chain([deep]);
    let mut rng = fastrand::Rng::with_seed(0x0dd);
    let pieces: Vec<&str> = pieces().collect();
    let made = (0..count).map(|_| value(&mut rng, &pieces, 4));
    alone.chain(made).collect()
}

fn value(rng: &mut fastrand::Rng, pieces: &[&str], depth: usize) -> String {
    if depth == 0 {
        return pieces[rng.usize(..pieces.len())].to_owned();
    }
    let is_object = rng.bool();
    let space = |rng: &mut fastrand::Rng| SPACES[rng.usize(..SPACES.len())];
    let members: Vec<String> = (0..rng.usize(..4))
        .map(|_| {
            let depth = rng.usize(..depth);
            let inner = value(rng, pieces, depth);
            let (before, after) = (space(rng), space(rng));
            if is_object {
                let key = STRINGS[rng.usize(..STRINGS.len())];
                format!("{before}{key}{after}:{before}{inner}{after}")
            } else {
                format!("{before}{inner}{after}")
            }
        })
        .collect();
    let inner = members.join(",");
    if is_object {
        format!("{{{inner}}}")
    } else {
        format!("[{inner}]")
    }
}
