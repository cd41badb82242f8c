//! The template, read into nodes, and the document that a payload makes of it.
//!
//! The document is put together as text: a value that is only moved keeps its bytes, so numbers
//! of any length survive.

use serde_json::Value;
use whisperer_sdk::json::find;
use whisperer_sdk::{Event, Failure, Path, Piece, Template};

use crate::Missing;

/// Of a template for people to write.
const DEPTH_MAX: usize = 32;

pub(crate) enum Node {
    /// As it stands in the template, as JSON text.
    Constant(String),
    /// Text with values in it, always a string.
    Text(Template),
    Moved(Moved),
    /// One document for each value that the path leads to.
    Each(Path, Box<Node>),
    Object(Vec<(String, Node)>),
    List(Vec<Node>),
}

/// A value by itself: `"{path}"`, or `{"$path": …}` with its rules.
pub(crate) struct Moved {
    path: Path,
    default: Option<String>,
    cast: Option<Cast>,
}

#[derive(Clone, Copy)]
enum Cast {
    String,
    Number,
    Boolean,
}

impl Node {
    /// # Errors
    /// What in the template is wrong, and where.
    pub(crate) fn read(template: &Value) -> Result<Self, String> {
        read(template, "output", 0)
    }
}

fn read(template: &Value, place: &str, depth: usize) -> Result<Node, String> {
    if depth > DEPTH_MAX {
        return Err(format!(
            "{place}: the template nests deeper than {DEPTH_MAX}"
        ));
    }
    match template {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Node::Constant(template.to_string())),
        Value::String(text) => {
            let template = Template::parse(text).map_err(|why| format!("{place}: {why}"))?;
            Ok(match template.pieces() {
                [] | [Piece::Text(_)] => Node::Text(template),
                [Piece::Value(path)] => Node::Moved(Moved {
                    path: path.clone(),
                    default: None,
                    cast: None,
                }),
                _ => Node::Text(template),
            })
        }
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .map(|(position, element)| read(element, &format!("{place}.{position}"), depth + 1))
            .collect::<Result<_, _>>()
            .map(Node::List),
        Value::Object(members) if members.keys().any(|name| name.starts_with('$')) => {
            directive(members, place, depth)
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let node = read(member, &format!("{place}.{name}"), depth + 1)?;
                Ok((name.clone(), node))
            })
            .collect::<Result<_, _>>()
            .map(Node::Object),
    }
}

/// `$path` with `$default` and `$as`, or `$each` with `$map`.
fn directive(
    members: &serde_json::Map<String, Value>,
    place: &str,
    depth: usize,
) -> Result<Node, String> {
    let known: &[&str] = if members.contains_key("$each") {
        &["$each", "$map"]
    } else {
        &["$path", "$default", "$as"]
    };
    if let Some(other) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!(
            "{place}: {other} does not go with {}",
            known.join(", ")
        ));
    }
    let path = |name: &str| {
        let text = members.get(name).and_then(Value::as_str);
        let text = text.ok_or_else(|| format!("{place}: {name} must be a path"))?;
        Path::parse(text).map_err(|why| format!("{place}: {why}"))
    };
    if members.contains_key("$each") {
        let inner = members.get("$map").unwrap_or(&Value::Null);
        let inner = read(inner, &format!("{place}.$map"), depth + 1)?;
        return Ok(Node::Each(path("$each")?, Box::new(inner)));
    }
    let cast = match members.get("$as").map(|it| it.as_str().unwrap_or_default()) {
        None => None,
        Some("string") => Some(Cast::String),
        Some("number") => Some(Cast::Number),
        Some("boolean") => Some(Cast::Boolean),
        Some(other) => {
            return Err(format!(
                "{place}: $as is string, number or boolean, not {other:?}"
            ));
        }
    };
    Ok(Node::Moved(Moved {
        path: path("$path")?,
        default: members.get("$default").map(Value::to_string),
        cast,
    }))
}

pub(crate) struct Mapper<'a> {
    pub(crate) event: &'a Event,
    pub(crate) missing: Missing,
}

impl Mapper<'_> {
    /// The node's document as JSON text, over `json`; none: it is to be left out.
    pub(crate) fn value(&self, node: &Node, json: &str) -> Result<Option<String>, Failure> {
        match node {
            Node::Constant(text) => Ok(Some(text.clone())),
            Node::Text(template) => self.text(template, json),
            Node::Moved(moved) => self.moved(moved, json),
            Node::Each(path, inner) => {
                let mut elements = Vec::new();
                for element in found(json, path)? {
                    elements.extend(self.value(inner, element)?);
                }
                Ok(Some(format!("[{}]", elements.join(","))))
            }
            Node::List(nodes) => {
                let mut elements = Vec::new();
                for node in nodes {
                    elements.extend(self.value(node, json)?);
                }
                Ok(Some(format!("[{}]", elements.join(","))))
            }
            Node::Object(members) => {
                let mut made = Vec::new();
                for (name, node) in members {
                    if let Some(value) = self.value(node, json)? {
                        made.push(format!("{}:{value}", quoted(name)));
                    }
                }
                Ok(Some(format!("{{{}}}", made.join(","))))
            }
        }
    }

    fn text(&self, template: &Template, json: &str) -> Result<Option<String>, Failure> {
        let mut fault = None;
        let filled = template.fill(self.event, |path| match found(json, path) {
            Ok(values) => {
                let texts: Vec<String> = values
                    .into_iter()
                    .map(whisperer_sdk::json::readable)
                    .collect();
                (!texts.is_empty()).then(|| texts.join(", "))
            }
            Err(why) => {
                fault = Some(why);
                None
            }
        });
        match (filled, fault) {
            (_, Some(why)) => Err(why),
            (Ok(text), None) => Ok(Some(quoted(&text))),
            (Err(path), None) => self.nothing_at(path),
        }
    }

    fn moved(&self, moved: &Moved, json: &str) -> Result<Option<String>, Failure> {
        let first = found(json, &moved.path)?.into_iter().next();
        match (first, &moved.default) {
            (Some(value), _) => match moved.cast {
                None => Ok(Some(value.to_owned())),
                Some(cast) => cast.of(value).map(Some).ok_or_else(|| {
                    let words = format!("{}: the value is no {}", moved.path, cast.word());
                    Failure::reject("bad-value", words)
                }),
            },
            (None, Some(default)) => Ok(Some(default.clone())),
            (None, None) => self.nothing_at(&moved.path),
        }
    }

    fn nothing_at(&self, path: &Path) -> Result<Option<String>, Failure> {
        match self.missing {
            Missing::Omit => Ok(None),
            Missing::Null => Ok(Some("null".to_owned())),
            Missing::Reject => Err(Failure::reject(
                "missing-value",
                format!("there is nothing at {path}"),
            )),
        }
    }
}

impl Cast {
    fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    fn of(self, json: &str) -> Option<String> {
        let text = whisperer_sdk::json::readable(json);
        match self {
            Self::String => Some(quoted(&text)),
            Self::Number => {
                // What JSON calls a number, as it is written.
                let number: &serde_json::value::RawValue =
                    serde_json::from_str(text.trim()).ok()?;
                let digits = number
                    .get()
                    .starts_with(|c: char| c == '-' || c.is_ascii_digit());
                digits.then(|| number.get().to_owned())
            }
            Self::Boolean => match text.as_str() {
                "true" | "1" => Some("true".to_owned()),
                "false" | "0" => Some("false".to_owned()),
                _ => None,
            },
        }
    }
}

fn found<'json>(json: &'json str, path: &Path) -> Result<Vec<&'json str>, Failure> {
    find(json.as_bytes(), path)
        .map_err(|why| Failure::reject("bad-payload", format!("the payload is not JSON: {why}")))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use whisperer_sdk::{Event, Failure, Outcome, Target};

    use crate::jsonmap;

    const ORDER: &str = r#"{"number": "P-1", "total": 12345678901234567890.10, "paid": "true",
        "customer": {"name": "A \"B\"", "email": "a@b.c"}, "weight": "1.50",
        "items": [{"sku": "x", "n": 1}, {"sku": "y"}]}"#;

    fn run(config: Value) -> Result<Outcome, Failure> {
        let event = Event::sample("package.created", ORDER.as_bytes());
        jsonmap(
            event,
            Target::sample(),
            serde_json::from_value(config).unwrap(),
        )
    }

    fn made(output: Value) -> String {
        match run(json!({"output": output})).unwrap() {
            Outcome::Modified(patch) => String::from_utf8(patch.payload.unwrap()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_value_that_is_moved_keeps_its_bytes() {
        assert_eq!(made(json!("{total}")), "12345678901234567890.10");
        assert_eq!(
            made(json!({"a": "{customer}", "b": [1, "{number}"]})),
            r#"{"a":{"name": "A \"B\"", "email": "a@b.c"},"b":[1,"P-1"]}"#
        );
    }

    #[test]
    fn text_is_filled_and_stays_text() {
        assert_eq!(
            made(json!({"to": "{customer.name} <{customer.email}>", "t": "{@type}", "c": "{{x}}"})),
            r#"{"to":"A \"B\" <a@b.c>","t":"package.created","c":"{x}"}"#
        );
    }

    #[test]
    fn lists_are_mapped_element_by_element() {
        let output = json!({"$each": "items[*]", "$map": {"article": "{sku}", "count": {"$path": "n", "$default": 1}}});
        assert_eq!(
            made(output),
            r#"[{"article":"x","count":1},{"article":"y","count":1}]"#
        );
        assert_eq!(made(json!({"$each": "nothing", "$map": 1})), "[]");
    }

    #[test]
    fn values_are_cast_or_rejected() {
        let cast = |path: &str, kind: &str| json!({"$path": path, "$as": kind});
        assert_eq!(made(cast("weight", "number")), "1.50");
        assert_eq!(made(cast("total", "string")), "\"12345678901234567890.10\"");
        assert_eq!(made(cast("paid", "boolean")), "true");
        let Err(Failure::Reject(reason)) = run(json!({"output": cast("number", "number")})) else {
            panic!("P-1 became a number");
        };
        assert_eq!(reason.code, "bad-value");
    }

    #[test]
    fn a_missing_value_is_dealt_with_as_told() {
        let output = json!({"a": "{nothing}", "b": "x {nothing}", "c": 1});
        assert_eq!(made(output.clone()), r#"{"c":1}"#);
        let told = |missing: &str| run(json!({"output": output, "missing": missing}));
        let Ok(Outcome::Modified(patch)) = told("null") else {
            panic!("null is a value");
        };
        assert_eq!(patch.payload.unwrap(), br#"{"a":null,"b":null,"c":1}"#);
        assert!(
            matches!(told("reject"), Err(Failure::Reject(reason)) if reason.code == "missing-value")
        );
    }

    #[test]
    fn a_template_that_is_none_is_told_by_its_place() {
        let cases = [
            (json!({"a": "{b"}), "output.a"),
            (json!([{"$path": 1}]), "output.0"),
            (json!({"$path": "a", "$map": 1}), "$map"),
            (json!({"$path": "a", "$as": "date"}), "date"),
        ];
        for (output, word) in cases {
            let Err(Failure::Reject(reason)) = run(json!({"output": output})) else {
                panic!("{word} was taken");
            };
            assert!(reason.message.contains(word), "{}", reason.message);
        }
    }
}
