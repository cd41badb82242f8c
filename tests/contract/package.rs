//! A package in WIT as a flat list: each item by its path, and its shape as text that is the same
//! whenever plugins could not tell the difference. Docs are no part of a shape.

use std::collections::{BTreeMap, BTreeSet};

use wit_parser::{
    Docs, Function, FunctionKind, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner,
    WorldItem, WorldKey,
};

pub(crate) struct Package {
    /// `whisperer:plugin`
    pub(crate) name: String,
    /// `1.0.0`
    pub(crate) version: String,
    /// The same to compare: major, minor, patch.
    pub(crate) order: [u64; 3],
    pub(crate) items: BTreeMap<Item, String>,
    /// Paths of what has no doc comment.
    pub(crate) mute: Vec<String>,
    /// Interfaces that some world exports: they are the plugins' to fill.
    pub(crate) exported: BTreeSet<String>,
}

/// In the order of how they hold each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    Interface(String),
    Type { interface: String, name: String },
    Function { interface: String, name: String },
    World(String),
    Import { world: String, name: String },
    Export { world: String, name: String },
}

impl Package {
    /// Panics if the text is not WIT: then there is nothing to compare.
    pub(crate) fn parse(text: &str) -> Self {
        let mut resolve = Resolve::default();
        let id = resolve
            .push_source("the contract", text)
            .unwrap_or_else(|why| panic!("{why:#}"));
        let found = &resolve.packages[id];
        let version = found.name.version.as_ref();
        let version = version.expect("a package has a version");
        let mut package = Self {
            name: format!("{}:{}", found.name.namespace, found.name.name),
            version: version.to_string(),
            order: [version.major, version.minor, version.patch],
            items: BTreeMap::new(),
            mute: Vec::new(),
            exported: BTreeSet::new(),
        };
        package.hear("package", &found.docs);
        for (name, id) in &found.interfaces {
            package.interface(&resolve, name, *id);
        }
        for (name, id) in &found.worlds {
            package.world(&resolve, name, *id);
        }
        package
    }

    fn interface(&mut self, resolve: &Resolve, interface: &str, id: wit_parser::InterfaceId) {
        let found = &resolve.interfaces[id];
        self.hear(interface, &found.docs);
        self.items
            .insert(Item::Interface(interface.to_owned()), String::new());
        for (name, id) in &found.types {
            let shape = definition(resolve, *id);
            self.hear_type(interface, name, &resolve.types[*id]);
            let item = Item::Type {
                interface: interface.to_owned(),
                name: name.clone(),
            };
            self.items.insert(item, shape);
        }
        for (name, function) in &found.functions {
            self.hear(&format!("{interface}.{name}"), &function.docs);
            let item = Item::Function {
                interface: interface.to_owned(),
                name: name.clone(),
            };
            self.items.insert(item, signature(resolve, function));
        }
    }

    fn world(&mut self, resolve: &Resolve, world: &str, id: wit_parser::WorldId) {
        let found = &resolve.worlds[id];
        self.hear(world, &found.docs);
        self.items
            .insert(Item::World(world.to_owned()), String::new());
        for (key, thing) in &found.imports {
            let (world, name) = (world.to_owned(), key_name(resolve, key));
            let item = Item::Import { world, name };
            self.items.insert(item, what(resolve, thing));
        }
        for (key, thing) in &found.exports {
            if let WorldItem::Interface { id, .. } = thing {
                self.exported
                    .extend(resolve.interfaces[*id].name.iter().cloned());
            }
            let (world, name) = (world.to_owned(), key_name(resolve, key));
            let item = Item::Export { world, name };
            self.items.insert(item, what(resolve, thing));
        }
    }

    fn hear(&mut self, path: &str, docs: &Docs) {
        let text = docs.contents.as_deref().unwrap_or_default();
        if text.trim().is_empty() {
            self.mute.push(path.to_owned());
        }
    }

    /// What `use` brings is documented where it comes from.
    fn hear_type(&mut self, interface: &str, name: &str, found: &TypeDef) {
        let path = format!("{interface}.{name}");
        let mut parts: Vec<(&str, &Docs)> = Vec::new();
        match &found.kind {
            TypeDefKind::Type(Type::Id(_)) if found.docs.is_empty() => return,
            TypeDefKind::Record(it) => {
                parts.extend(it.fields.iter().map(|it| (it.name.as_str(), &it.docs)));
            }
            TypeDefKind::Variant(it) => {
                parts.extend(it.cases.iter().map(|it| (it.name.as_str(), &it.docs)));
            }
            TypeDefKind::Enum(it) => {
                parts.extend(it.cases.iter().map(|it| (it.name.as_str(), &it.docs)));
            }
            TypeDefKind::Flags(it) => {
                parts.extend(it.flags.iter().map(|it| (it.name.as_str(), &it.docs)));
            }
            _ => {}
        }
        self.hear(&path, &found.docs);
        for (part, docs) in parts {
            self.hear(&format!("{path}.{part}"), docs);
        }
    }
}

/// Without the version: that of an interface of ours is compared once, as the package's.
fn key_name(resolve: &Resolve, key: &WorldKey) -> String {
    let own = match key {
        WorldKey::Name(name) => return name.clone(),
        WorldKey::Interface(id) => resolve.interfaces[*id].name.clone(),
    };
    own.unwrap_or_else(|| resolve.name_world_key(key))
}

/// What a world imports or exports under a name. An interface's name says which it is.
fn what(resolve: &Resolve, thing: &WorldItem) -> String {
    match thing {
        WorldItem::Interface { .. } => "interface".to_owned(),
        WorldItem::Function(function) => signature(resolve, function),
        WorldItem::Type { id, .. } => definition(resolve, *id),
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let kind = match function.kind {
        FunctionKind::Freestanding => "func",
        FunctionKind::AsyncFreestanding => "async func",
        _ => "func of a resource",
    };
    let named = function
        .params
        .iter()
        .map(|it| format!("{}: {}", it.name, shape(resolve, &it.ty)));
    let params: Vec<String> = named.collect();
    let result = function.result.as_ref();
    let result = result.map_or_else(|| "nothing".to_owned(), |it| shape(resolve, it));
    format!("{kind}({}) -> {result}", params.join(", "))
}

/// A type's own definition, with the names and the order of its parts.
fn definition(resolve: &Resolve, id: TypeId) -> String {
    let part = |name: &str, ty: Option<&Type>| match ty {
        Some(ty) => format!("{name}: {}", shape(resolve, ty)),
        None => name.to_owned(),
    };
    let parts: Vec<String> = match &resolve.types[id].kind {
        TypeDefKind::Record(it) => {
            let fields = it.fields.iter().map(|it| part(&it.name, Some(&it.ty)));
            fields.collect()
        }
        TypeDefKind::Variant(it) => {
            let cases = it.cases.iter().map(|it| part(&it.name, it.ty.as_ref()));
            cases.collect()
        }
        TypeDefKind::Enum(it) => it.cases.iter().map(|it| part(&it.name, None)).collect(),
        TypeDefKind::Flags(it) => it.flags.iter().map(|it| part(&it.name, None)).collect(),
        other => return built(resolve, other),
    };
    let kind = resolve.types[id].kind.as_str();
    format!("{kind} {{ {} }}", parts.join(", "))
}

/// How a type is written where it is used.
fn shape(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else {
        return format!("{ty:?}").to_lowercase();
    };
    let found = &resolve.types[*id];
    match (&found.name, &found.kind, found.owner) {
        // The name that a `use` gives is the user's own matter.
        (Some(_), TypeDefKind::Type(origin @ Type::Id(_)), _) => shape(resolve, origin),
        (Some(name), _, TypeOwner::Interface(owner)) => {
            let owner = resolve.interfaces[owner].name.as_deref();
            format!("{}.{name}", owner.unwrap_or("a world's own"))
        }
        (Some(name), _, TypeOwner::World(_) | TypeOwner::None) => name.clone(),
        (None, kind, _) => built(resolve, kind),
    }
}

/// A type that is made of others.
fn built(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let of = |ty: &Type| shape(resolve, ty);
    let of_some = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), of);
    match kind {
        TypeDefKind::Tuple(it) => {
            let types: Vec<String> = it.types.iter().map(of).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Option(it) => format!("option<{}>", of(it)),
        TypeDefKind::List(it) => format!("list<{}>", of(it)),
        TypeDefKind::Result(it) => format!("result<{}, {}>", of_some(&it.ok), of_some(&it.err)),
        TypeDefKind::Type(it) => of(it),
        // Resources, streams, futures: the contract has none, and must not come to have any.
        other => format!("{}, which no plugin can take", other.as_str()),
    }
}
