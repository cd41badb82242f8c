//! Where one element of a batch ends and the next begins: found in chunks as they come, by lines
//! or by the brackets and commas of an array, without reading the elements themselves.
//!
//! What is no JSON inside an element is the element's own fault and found where it is read; only
//! what leaves nobody knowing where the next one begins ends the batch.

use bytes::Bytes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One element a line; empty lines are passed over.
    Lines,
    /// A JSON array.
    Array,
}

/// One element as it stands in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it begins, both from 1.
    pub(super) line: usize,
    pub(super) column: usize,
    /// Without the space around it; empty if it is too long.
    pub(super) bytes: Bytes,
    pub(super) too_long: bool,
}

/// The body cannot be taken apart from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before an array's bracket.
    Start,
    /// Where an element may begin; `first` in an array that has none yet.
    Before {
        first: bool,
    },
    /// In an element, so many containers deep.
    Within {
        depth: u32,
    },
    /// In a string of an element; `escaped` after a backslash.
    Quoted {
        depth: u32,
        escaped: bool,
    },
    /// Where an array goes on or ends.
    After,
    End,
}

pub(super) struct Splitter {
    shape: Shape,
    place: Place,
    bytes_max: usize,
    element: Vec<u8>,
    too_long: bool,
    /// Where the element began.
    begun: (usize, usize),
    line: usize,
    column: usize,
}

impl Splitter {
    /// Elements longer than `bytes_max` are told as such and not kept.
    pub(super) fn new(shape: Shape, bytes_max: usize) -> Self {
        Self {
            shape,
            place: match shape {
                Shape::Lines => Place::Before { first: true },
                Shape::Array => Place::Start,
            },
            bytes_max,
            element: Vec::new(),
            too_long: false,
            begun: (1, 1),
            line: 1,
            column: 1,
        }
    }

    /// What it keeps of an element that has not ended.
    pub(super) fn held(&self) -> usize {
        self.element.len()
    }

    /// The elements that end in this chunk. After a fault nothing more must be fed.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> Vec<Result<Piece, Broken>> {
        let mut pieces = Vec::new();
        for byte in chunk {
            let step = match self.shape {
                Shape::Lines => Ok(self.of_lines(*byte)),
                Shape::Array => self.of_array(*byte),
            };
            match step {
                Ok(piece) => pieces.extend(piece.map(Ok)),
                Err(message) => {
                    pieces.push(Err(self.broken(message)));
                    break;
                }
            }
            if *byte == b'\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        pieces
    }

    /// What is left at the end of the body.
    pub(super) fn finish(&mut self) -> Option<Result<Piece, Broken>> {
        match (self.shape, self.place) {
            (Shape::Lines, Place::Within { .. }) => Some(Ok(self.ended())),
            (Shape::Lines, _) | (Shape::Array, Place::End) => None,
            (Shape::Array, Place::Start) => Some(Err(self.broken("expected an array"))),
            (
                Shape::Array,
                Place::Before { .. } | Place::Within { .. } | Place::Quoted { .. } | Place::After,
            ) => Some(Err(self.broken("the array does not end"))),
        }
    }

    /// No string of JSON holds a line's end, so that lines need no further look.
    fn of_lines(&mut self, byte: u8) -> Option<Piece> {
        let within = matches!(self.place, Place::Within { .. });
        match byte {
            b'\n' if within => return Some(self.ended()),
            b'\n' => {}
            _ if within => self.keep(byte),
            b' ' | b'\t' | b'\r' => {}
            _ => self.begin(byte, Place::Within { depth: 0 }),
        }
        None
    }

    fn of_array(&mut self, byte: u8) -> Result<Option<Piece>, &'static str> {
        let space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        match (self.place, byte) {
            (Place::Start | Place::Before { .. } | Place::After | Place::End, _) if space => {}
            (Place::Start, b'[') => self.place = Place::Before { first: true },
            (Place::Start, _) => return Err("expected an array of events"),
            (Place::Before { first: true }, b']') => self.place = Place::End,
            (Place::Before { .. }, b']' | b',') => return Err("expected an event"),
            (Place::Before { .. }, _) => self.begin(byte, opened(byte, 0)),
            (Place::After, b',') => self.place = Place::Before { first: false },
            (Place::After, b']') => self.place = Place::End,
            (Place::After, _) => return Err("expected a comma or the end of the array"),
            (Place::End, _) => return Err("there is more after the end of the array"),
            (Place::Quoted { depth, escaped }, _) => return Ok(self.quoted(byte, depth, escaped)),
            (Place::Within { depth: 0 }, b',' | b']') => {
                let piece = self.ended();
                self.place = match byte {
                    b',' => Place::Before { first: false },
                    _ => Place::End,
                };
                return Ok(Some(piece));
            }
            (Place::Within { depth: 0 }, _) if space => return Ok(Some(self.ended())),
            (Place::Within { depth }, b'}' | b']') => {
                self.keep(byte);
                match depth.saturating_sub(1) {
                    0 => return Ok(Some(self.ended())),
                    outer => self.place = Place::Within { depth: outer },
                }
            }
            (Place::Within { depth }, _) => {
                self.keep(byte);
                self.place = opened(byte, depth);
            }
        }
        Ok(None)
    }

    fn quoted(&mut self, byte: u8, depth: u32, escaped: bool) -> Option<Piece> {
        self.keep(byte);
        match byte {
            b'"' if !escaped && depth == 0 => return Some(self.ended()),
            b'"' if !escaped => self.place = Place::Within { depth },
            _ => {
                self.place = Place::Quoted {
                    depth,
                    escaped: byte == b'\\' && !escaped,
                }
            }
        }
        None
    }

    fn begin(&mut self, byte: u8, place: Place) {
        self.begun = (self.line, self.column);
        self.place = place;
        self.keep(byte);
    }

    fn keep(&mut self, byte: u8) {
        if self.element.len() < self.bytes_max {
            self.element.push(byte);
        } else {
            self.too_long = true;
        }
    }

    fn ended(&mut self) -> Piece {
        self.place = match self.shape {
            Shape::Lines => Place::Before { first: false },
            Shape::Array => Place::After,
        };
        let too_long = std::mem::take(&mut self.too_long);
        let mut element = std::mem::take(&mut self.element);
        if too_long {
            element.clear();
        }
        element.truncate(element.trim_ascii_end().len());
        let (line, column) = self.begun;
        Piece {
            line,
            column,
            // Without what the vector has to spare: it may be kept for long.
            bytes: element.into_boxed_slice().into(),
            too_long,
        }
    }

    fn broken(&self, message: &'static str) -> Broken {
        Broken {
            line: self.line,
            column: self.column,
            message,
        }
    }
}

/// Where an element's byte leads that is outside of strings and opens something, or nothing.
fn opened(byte: u8, depth: u32) -> Place {
    match byte {
        b'"' => Place::Quoted {
            depth,
            escaped: false,
        },
        b'{' | b'[' => Place::Within {
            depth: depth.saturating_add(1),
        },
        _ => Place::Within { depth },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{Broken, Piece, Shape, Splitter};

    fn split(shape: Shape, chunks: &[&[u8]]) -> Vec<Result<Piece, Broken>> {
        let mut splitter = Splitter::new(shape, 32);
        let mut pieces = Vec::new();
        for chunk in chunks {
            pieces.extend(splitter.feed(chunk));
            if pieces.last().is_some_and(Result::is_err) {
                return pieces;
            }
        }
        pieces.extend(splitter.finish());
        pieces
    }

    /// Elements with where they begin, and the fault at the end.
    fn told(shape: Shape, text: &str) -> Vec<String> {
        let told = |piece: Result<Piece, Broken>| match piece {
            Ok(piece) if piece.too_long => format!("{}:{} too long", piece.line, piece.column),
            Ok(piece) => {
                let text = String::from_utf8(piece.bytes.to_vec()).unwrap();
                format!("{}:{} {text}", piece.line, piece.column)
            }
            Err(broken) => format!("{}:{} ! {}", broken.line, broken.column, broken.message),
        };
        split(shape, &[text.as_bytes()])
            .into_iter()
            .map(told)
            .collect()
    }

    #[test]
    fn lines_are_elements() {
        let long = "x".repeat(33);
        for (text, expected) in [
            ("", &[][..]),
            ("\n \r\n", &[]),
            ("{}", &["1:1 {}"]),
            (
                "{\"a\": 1} \r\n\n  [2]\nx y\n",
                &["1:1 {\"a\": 1}", "3:3 [2]", "4:1 x y"],
            ),
            (&format!("{long}\n{{}}"), &["1:1 too long", "2:1 {}"]),
        ] {
            assert_eq!(told(Shape::Lines, text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_array_is_taken_apart() {
        let long = format!("[\"{}\", 1]", "x".repeat(33));
        for (text, expected) in [
            ("[]", &[][..]),
            (" [ ]\n", &[]),
            (
                "[{},{\"a\": [1, \"]},\\\"\"]}]",
                &["1:2 {}", "1:5 {\"a\": [1, \"]},\\\"\"]}"],
            ),
            (
                "[1, \"a,b\" ,null\n,[2]]",
                &["1:2 1", "1:5 \"a,b\"", "1:12 null", "2:2 [2]"],
            ),
            (&long, &["1:2 too long", "1:39 1"]),
            // Broken inside: a reader's business.
            ("[{\"a\" 1}, tru]", &["1:2 {\"a\" 1}", "1:11 tru"]),
            ("", &["1:1 ! expected an array"]),
            ("{}", &["1:1 ! expected an array of events"]),
            ("[1,]", &["1:2 1", "1:4 ! expected an event"]),
            ("[,1]", &["1:2 ! expected an event"]),
            (
                "[{} {}]",
                &["1:2 {}", "1:5 ! expected a comma or the end of the array"],
            ),
            (
                "[1]\n]",
                &["1:2 1", "2:1 ! there is more after the end of the array"],
            ),
            ("[{}", &["1:2 {}", "1:4 ! the array does not end"]),
            ("[{\"a", &["1:5 ! the array does not end"]),
        ] {
            assert_eq!(told(Shape::Array, text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn where_the_chunks_end_makes_no_difference(
            text in "[\\[\\]{},:\"\\\\ \\n1a]{0,40}",
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..4),
            lines in any::<bool>(),
        ) {
            let shape = if lines { Shape::Lines } else { Shape::Array };
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(split(shape, &chunks), split(shape, &[bytes]));
        }

        /// Against the library: the same elements, if it is an array at all.
        #[test]
        fn an_array_of_json_comes_apart_as_the_library_reads_it(text in "\\[[\\[\\]{},:\"\\\\ 1a]{0,24}") {
            if let Ok(serde_json::Value::Array(elements)) = serde_json::from_str(&text) {
                let pieces = split(Shape::Array, &[text.as_bytes()]);
                let read: Vec<serde_json::Value> = pieces
                    .iter()
                    .map(|piece| serde_json::from_slice(&piece.as_ref().unwrap().bytes).unwrap())
                    .collect();
                prop_assert_eq!(read, elements);
            }
        }
    }
}
