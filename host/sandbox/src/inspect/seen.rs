//! The types of a component's functions, as wasmtime read them. They are a stranger's: a few
//! hundred bytes can say a type with a million parts.

use std::cell::Cell;

use wasmtime::component::types::{ComponentFunc, Type as Seen};

use super::signature::{Shape, Signature, Type};

/// Of one function; those of the contract have less than a hundred. As deep as this the reading
/// may go, too.
const PARTS_MAX: usize = 400;
const NAME_CHARS_MAX: usize = 64;
const CUT_OFF: Shape = Shape::Plain("…");

pub(super) fn signature(function: &ComponentFunc) -> Signature {
    let budget = Budget(Cell::new(PARTS_MAX));
    let params = function.params();
    Signature {
        params: params
            .take(PARTS_MAX)
            .map(|(name, ty)| (short(name), budget.read(&ty)))
            .collect(),
        result: function.results().next().map(|ty| budget.read(&ty)),
    }
}

fn short(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

/// The parts that may still be read.
struct Budget(Cell<usize>);

impl Budget {
    fn read(&self, ty: &Seen) -> Type {
        let shape = match self.0.get() {
            0 => CUT_OFF,
            left => {
                self.0.set(left - 1);
                self.shape(ty)
            }
        };
        Type { name: None, shape }
    }

    fn parts<'a, P>(&self, word: &'static str, parts: P) -> Shape
    where
        P: Iterator<Item = (&'a str, Option<Seen>)>,
    {
        let parts = parts.take(self.0.get());
        let read = parts.map(|(name, ty)| (short(name), ty.map(|ty| self.read(&ty))));
        Shape::Named(word, read.collect())
    }

    fn shape(&self, ty: &Seen) -> Shape {
        let of = |ty: Seen| Some(self.read(&ty));
        match ty {
            Seen::Bool => Shape::Plain("bool"),
            Seen::S8 => Shape::Plain("s8"),
            Seen::U8 => Shape::Plain("u8"),
            Seen::S16 => Shape::Plain("s16"),
            Seen::U16 => Shape::Plain("u16"),
            Seen::S32 => Shape::Plain("s32"),
            Seen::U32 => Shape::Plain("u32"),
            Seen::S64 => Shape::Plain("s64"),
            Seen::U64 => Shape::Plain("u64"),
            Seen::Float32 => Shape::Plain("f32"),
            Seen::Float64 => Shape::Plain("f64"),
            Seen::Char => Shape::Plain("char"),
            Seen::String => Shape::Plain("string"),
            Seen::List(it) => Shape::Built("list", vec![of(it.ty())]),
            Seen::Option(it) => Shape::Built("option", vec![of(it.ty())]),
            Seen::Tuple(it) => {
                Shape::Built("tuple", it.types().take(self.0.get()).map(of).collect())
            }
            Seen::Result(it) => {
                Shape::Built("result", vec![it.ok().and_then(of), it.err().and_then(of)])
            }
            Seen::Record(it) => self.parts("record", it.fields().map(|it| (it.name, Some(it.ty)))),
            Seen::Variant(it) => self.parts("variant", it.cases().map(|it| (it.name, it.ty))),
            Seen::Enum(it) => self.parts("enum", it.names().map(|name| (name, None))),
            Seen::Flags(it) => self.parts("flags", it.names().map(|name| (name, None))),
            Seen::Map(_) => Shape::Plain("map"),
            Seen::FixedLengthList(_) => Shape::Plain("fixed-length list"),
            Seen::Own(_) | Seen::Borrow(_) => Shape::Plain("resource"),
            Seen::Future(_) => Shape::Plain("future"),
            Seen::Stream(_) => Shape::Plain("stream"),
            Seen::ErrorContext => Shape::Plain("error-context"),
        }
    }
}
