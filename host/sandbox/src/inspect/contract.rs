//! A component held against the contract, function by function, before wasmtime does it: what is
//! not as it is to be is told in WIT, with what is due and how to mend it.
//!
//! What the contract says is read from `wit/whisperer.wit` itself, of which the bindings are made
//! too.

use std::collections::BTreeMap;

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wit_parser::{Resolve, TypeDefKind};

use super::seen;
use super::signature::{Shape, Signature, Type};

const TEXT: &str = include_str!("../../../../wit/whisperer.wit");
const PACKAGE: &str = "whisperer:plugin/";
/// The major version that this host speaks.
const VERSION_PREFIX: &str = "1.";
const MEND: &str = "take the wit/whisperer.wit that `whisperer plugin new` of this version writes, \
                    and build it against that";

pub(crate) struct Contract {
    version: String,
    /// The functions of each interface.
    interfaces: BTreeMap<String, BTreeMap<String, Signature>>,
    /// The types that have names.
    types: Vec<Type>,
}

/// Of an export or import: `whisperer:plugin/log@1.0.0`.
struct Name<'a> {
    whole: &'a str,
    interface: &'a str,
    speaks: bool,
}

impl<'a> Name<'a> {
    /// None if it is nothing of the contract's package.
    fn of(whole: &'a str) -> Option<Self> {
        let rest = whole.strip_prefix(PACKAGE)?;
        let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
        Some(Self {
            whole,
            interface,
            speaks: version.starts_with(VERSION_PREFIX),
        })
    }
}

impl Contract {
    pub(crate) fn read() -> Self {
        let mut resolve = Resolve::default();
        // The bindings of this crate are made from the same text: it would not have compiled.
        let id = resolve
            .push_source("wit/whisperer.wit", TEXT)
            .expect("the contract is WIT");
        let package = &resolve.packages[id];
        let version = package.name.version.as_ref().map(ToString::to_string);
        let mut contract = Self {
            version: version.unwrap_or_default(),
            interfaces: BTreeMap::new(),
            types: Vec::new(),
        };
        for (name, id) in &package.interfaces {
            let found = &resolve.interfaces[*id];
            let functions = found.functions.iter();
            let functions = functions.map(|(name, it)| (name.clone(), signature(&resolve, it)));
            contract
                .interfaces
                .insert(name.clone(), functions.collect());
            let types = found
                .types
                .values()
                .map(|id| due(&resolve, &wit_parser::Type::Id(*id)));
            contract.types.extend(types);
        }
        contract
    }

    /// `transform` is exported, in a version that this host speaks.
    ///
    /// # Errors
    /// What is exported instead.
    pub(super) fn check_names(&self, exports: &[&str]) -> Result<(), String> {
        let mut named = exports.iter().filter_map(|name| Name::of(name));
        let transform = |name: &Name<'_>| name.interface == "transform";
        if named.clone().any(|name| transform(&name) && name.speaks) {
            return Ok(());
        }
        if let Some(other) = named.find(transform) {
            return Err(format!(
                "it exports {}, and this server speaks version {}: {MEND}",
                other.whole, self.version
            ));
        }
        let has = if exports.is_empty() {
            "nothing".to_owned()
        } else {
            exports.join(", ")
        };
        Err(format!(
            "it exports {has}, and a plugin exports {PACKAGE}transform@{}: build it for the world \
             `plugin` or `described-plugin` of wit/whisperer.wit",
            self.version
        ))
    }

    /// Whether an export is the optional one by which a plugin tells about itself.
    pub(super) fn is_describe(export: &str) -> bool {
        Name::of(export).is_some_and(|name| name.interface == "describe" && name.speaks)
    }

    /// # Errors
    /// A function that the host would call is not there, or is another one.
    pub(super) fn check_export(
        &self,
        engine: &Engine,
        export: &str,
        item: &ComponentItem,
    ) -> Result<(), String> {
        let Some(name) = Name::of(export).filter(|name| name.speaks) else {
            return Ok(());
        };
        let Some(functions) = self.interfaces.get(name.interface) else {
            return Ok(());
        };
        let ComponentItem::ComponentInstance(instance) = item else {
            return Err(format!(
                "it exports {export}, which is no interface: {MEND}"
            ));
        };
        for (function, due) in functions {
            match found(engine, instance, function) {
                Some(has) => self.compare("exports", export, function, due, &has)?,
                None => {
                    return Err(format!(
                        "it exports {export} without the function `{}`: {MEND}",
                        due.of(function)
                    ));
                }
            }
        }
        Ok(())
    }

    /// # Errors
    /// It wants something of the contract's package that this host does not have.
    pub(super) fn check_import(
        &self,
        engine: &Engine,
        import: &str,
        item: &ComponentItem,
    ) -> Result<(), String> {
        let Some(name) = Name::of(import) else {
            return Ok(());
        };
        let version = &self.version;
        if !name.speaks {
            return Err(format!(
                "it imports {import}, and this server speaks version {version}: {MEND}"
            ));
        }
        let Some(functions) = self.interfaces.get(name.interface) else {
            return Err(format!(
                "it imports {import}, which version {version} of the contract does not have: {MEND}"
            ));
        };
        let ComponentItem::ComponentInstance(instance) = item else {
            return Err(format!(
                "it imports {import}, which is no interface: {MEND}"
            ));
        };
        for (function, item) in instance.exports(engine) {
            let ComponentItem::ComponentFunc(has) = &item.ty else {
                continue;
            };
            match functions.get(function) {
                Some(due) => self.compare("imports", import, function, due, has)?,
                None => {
                    return Err(format!(
                        "it imports the function `{function}` of {import}, which version \
                         {version} of the contract does not have: {MEND}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn compare(
        &self,
        does: &str,
        interface: &str,
        function: &str,
        due: &Signature,
        has: &ComponentFunc,
    ) -> Result<(), String> {
        let has = self.named_in(seen::signature(has));
        let Some(difference) = due.difference(&has) else {
            return Ok(());
        };
        Err(format!(
            "the function `{function}` of {interface}, which it {does}, is not that of the \
             contract: {difference}. The contract says `{}`, it has `{}`. It was built against \
             another text of the contract: {MEND}",
            due.of(function),
            has.of(function)
        ))
    }

    /// With the contract's names for the types that are the contract's.
    fn named_in(&self, signature: Signature) -> Signature {
        let params = signature.params.into_iter();
        Signature {
            params: params.map(|(name, ty)| (name, self.named(ty))).collect(),
            result: signature.result.map(|ty| self.named(ty)),
        }
    }

    fn named(&self, ty: Type) -> Type {
        let shape = match ty.shape {
            Shape::Plain(word) => Shape::Plain(word),
            Shape::Named(word, parts) => {
                let parts = parts.into_iter();
                let named = parts.map(|(name, ty)| (name, ty.map(|ty| self.named(ty))));
                Shape::Named(word, named.collect())
            }
            Shape::Built(word, types) => {
                let types = types.into_iter();
                Shape::Built(word, types.map(|ty| ty.map(|ty| self.named(ty))).collect())
            }
        };
        let ty = Type { name: None, shape };
        let mut same = self.types.iter();
        let same = same.find(|known| known.resembles(&ty) && known.difference(&ty, "").is_none());
        Type {
            name: same.and_then(|known| known.name.clone()),
            ..ty
        }
    }
}

fn found(engine: &Engine, instance: &ComponentInstance, name: &str) -> Option<ComponentFunc> {
    match instance.get_export(engine, name)?.ty {
        ComponentItem::ComponentFunc(function) => Some(function),
        ComponentItem::CoreFunc(_)
        | ComponentItem::Module(_)
        | ComponentItem::Component(_)
        | ComponentItem::ComponentInstance(_)
        | ComponentItem::Type(_)
        | ComponentItem::Resource(_) => None,
    }
}

fn signature(resolve: &Resolve, function: &wit_parser::Function) -> Signature {
    let params = function.params.iter();
    Signature {
        params: params
            .map(|it| (it.name.clone(), due(resolve, &it.ty)))
            .collect(),
        result: function.result.as_ref().map(|ty| due(resolve, ty)),
    }
}

/// A type of the contract.
fn due(resolve: &Resolve, ty: &wit_parser::Type) -> Type {
    use wit_parser::Type as Wit;
    let plain = |word| Type {
        name: None,
        shape: Shape::Plain(word),
    };
    match ty {
        Wit::Bool => plain("bool"),
        Wit::U8 => plain("u8"),
        Wit::U16 => plain("u16"),
        Wit::U32 => plain("u32"),
        Wit::U64 => plain("u64"),
        Wit::S8 => plain("s8"),
        Wit::S16 => plain("s16"),
        Wit::S32 => plain("s32"),
        Wit::S64 => plain("s64"),
        Wit::F32 => plain("f32"),
        Wit::F64 => plain("f64"),
        Wit::Char => plain("char"),
        Wit::String => plain("string"),
        Wit::ErrorContext => plain("error-context"),
        Wit::Id(id) => {
            let found = &resolve.types[*id];
            Type {
                name: found.name.clone(),
                shape: due_shape(resolve, &found.kind),
            }
        }
    }
}

fn due_shape(resolve: &Resolve, kind: &TypeDefKind) -> Shape {
    let of = |ty: &wit_parser::Type| Some(due(resolve, ty));
    let bare = |name: &String| (name.clone(), None);
    match kind {
        TypeDefKind::Type(ty) => due(resolve, ty).shape,
        TypeDefKind::Record(it) => {
            let fields = it.fields.iter().map(|it| (it.name.clone(), of(&it.ty)));
            Shape::Named("record", fields.collect())
        }
        TypeDefKind::Variant(it) => {
            let cases = it.cases.iter();
            let cases = cases.map(|it| (it.name.clone(), it.ty.as_ref().and_then(of)));
            Shape::Named("variant", cases.collect())
        }
        TypeDefKind::Enum(it) => {
            Shape::Named("enum", it.cases.iter().map(|it| bare(&it.name)).collect())
        }
        TypeDefKind::Flags(it) => {
            Shape::Named("flags", it.flags.iter().map(|it| bare(&it.name)).collect())
        }
        TypeDefKind::Tuple(it) => Shape::Built("tuple", it.types.iter().map(of).collect()),
        TypeDefKind::List(ty) => Shape::Built("list", vec![of(ty)]),
        TypeDefKind::Option(ty) => Shape::Built("option", vec![of(ty)]),
        TypeDefKind::Result(it) => {
            let sides = [&it.ok, &it.err].into_iter();
            Shape::Built("result", sides.map(|ty| ty.as_ref().and_then(of)).collect())
        }
        // The contract has none, and `tests/contract.rs` fails when it comes to have one.
        other => Shape::Plain(other.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::Contract;

    #[test]
    fn the_contract_reads_as_it_is_written() {
        let contract = Contract::read();
        let transform = &contract.interfaces["transform"]["transform"];
        assert_eq!(
            transform.of("transform"),
            "transform: func(event: event, target: target, config: string) -> result<outcome, failure>"
        );
        let write = &contract.interfaces["log"]["write"];
        assert_eq!(
            write.of("write"),
            "write: func(level: level, message: string)"
        );
    }

    #[test]
    fn another_version_of_the_contract_is_named() {
        let contract = Contract::read();
        let check = |exports: &[&str]| contract.check_names(exports);
        assert_eq!(check(&["whisperer:plugin/transform@1.4.0"]), Ok(()));
        let cases: [(&[&str], &str); 4] = [
            (
                &["whisperer:plugin/transform@2.0.0"],
                "@2.0.0, and this server speaks version 1.",
            ),
            (
                &["whisperer:plugin/transform"],
                "transform, and this server speaks version 1.",
            ),
            (
                &["wasi:cli/run@0.2.3", "transform"],
                "exports wasi:cli/run@0.2.3, transform, and",
            ),
            (
                &[],
                "exports nothing, and a plugin exports whisperer:plugin/transform@1.0.0",
            ),
        ];
        for (exports, words) in cases {
            let why = check(exports).unwrap_err();
            assert!(why.contains(words), "{why}");
            assert!(why.contains("wit/whisperer.wit"), "how to mend it: {why}");
        }
    }
}
