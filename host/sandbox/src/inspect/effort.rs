//! What it would take to compile a file, estimated before the compiler sees it.
//!
//! A compiler cannot be stopped in the middle of a function, and 30 KiB of code can keep it for
//! minutes: what it does grows with the ways that control can take, times the values that each
//! way carries along. The engines of JavaScript and Python are the largest honest plugins; each
//! bound is at least one and a half times what they need, and the comments say what that is.

use wasmparser::{
    BlockType, CompositeInnerType, Encoding, FunctionBody, FunctionSectionReader, Operator, Parser,
    Payload, TypeSectionReader,
};

/// Of all core modules together: 19,852.
const FUNCTIONS_MAX: u64 = 40_000;
/// Of one function: 0.17 million. The compiler holds about 700 bytes for each.
const OPERATORS_MAX: u64 = 400_000;
/// Of all functions: 5.0 million.
const TOTAL_OPERATORS_MAX: u64 = 8_000_000;
/// Branches and blocks times values, of one function: 0.46 million.
const FLOW_MAX: u64 = 2_000_000;
/// The same of all functions: 12.2 million.
const TOTAL_FLOW_MAX: u64 = 20_000_000;
/// What one function gives back; more than one is rare.
const RESULTS_MAX: usize = 16;
/// Each makes a function of the host's: 123.
const CANONICAL_FUNCTIONS_MAX: u64 = 2_000;

/// # Errors
/// What there is too much of, or what cannot be read.
pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
    let mut effort = Effort::default();
    for payload in Parser::new(0).parse_all(bytes) {
        effort.add(payload.map_err(unreadable)?)?;
    }
    Ok(())
}

/// Of what was read so far.
#[derive(Default)]
struct Effort {
    functions: u64,
    operators: u64,
    flow: u64,
    canonical_functions: u64,
    module: Module,
}

/// The core module that is being read: they do not nest.
#[derive(Default)]
struct Module {
    types: Vec<Signature>,
    /// The types of the functions that it has bodies for.
    functions: Vec<u32>,
    bodies: usize,
}

#[derive(Clone, Copy, Default)]
struct Signature {
    params: u64,
    results: u64,
}

impl Effort {
    fn add(&mut self, payload: Payload<'_>) -> Result<(), String> {
        // wasmparser's enum: what is not named here costs nothing beside its size.
        match payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } => self.module = Module::default(),
            Payload::TypeSection(types) => self.module.add_types(types)?,
            Payload::FunctionSection(functions) => self.add_functions(functions)?,
            Payload::CodeSectionEntry(body) => self.add_body(&body)?,
            Payload::ComponentCanonicalSection(functions) => {
                self.canonical_functions += u64::from(functions.count());
                let max = CANONICAL_FUNCTIONS_MAX;
                bounded(self.canonical_functions, max, "lifted or lowered functions")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn add_functions(&mut self, functions: FunctionSectionReader<'_>) -> Result<(), String> {
        self.functions += u64::from(functions.count());
        bounded(self.functions, FUNCTIONS_MAX, "functions")?;
        for function in functions {
            self.module.functions.push(function.map_err(unreadable)?);
        }
        Ok(())
    }

    fn add_body(&mut self, body: &FunctionBody<'_>) -> Result<(), String> {
        let signature = self.module.next_body();
        let (operators, flow) = weigh(body, signature, &self.module.types).map_err(unreadable)?;
        bounded(operators, OPERATORS_MAX, "operators in one function")?;
        bounded(
            flow,
            FLOW_MAX,
            "branches times variables in one function, so that compiling it could take minutes,",
        )?;
        self.operators += operators;
        bounded(self.operators, TOTAL_OPERATORS_MAX, "operators")?;
        self.flow += flow;
        bounded(
            self.flow,
            TOTAL_FLOW_MAX,
            "branches times variables, so that compiling it could take minutes,",
        )
    }
}

impl Module {
    fn add_types(&mut self, types: TypeSectionReader<'_>) -> Result<(), String> {
        for group in types {
            for kind in group.map_err(unreadable)?.into_types() {
                let signature = match kind.composite_type.inner {
                    CompositeInnerType::Func(kind) => {
                        let results = kind.results().len();
                        bounded(
                            results as u64,
                            RESULTS_MAX as u64,
                            "results of one function",
                        )?;
                        Signature {
                            params: kind.params().len() as u64,
                            results: results as u64,
                        }
                    }
                    // Types of proposals that are switched off: the compiler refuses them.
                    _ => Signature::default(),
                };
                self.types.push(signature);
            }
        }
        Ok(())
    }

    fn next_body(&mut self) -> Signature {
        let kind = self.functions.get(self.bodies).copied();
        self.bodies += 1;
        signature(&self.types, kind.unwrap_or(u32::MAX))
    }
}

/// Of a type that is not there, nothing: the compiler refuses it.
fn signature(types: &[Signature], kind: u32) -> Signature {
    let found = usize::try_from(kind).ok().and_then(|kind| types.get(kind));
    found.copied().unwrap_or_default()
}

/// How many operators there are; and every place where control parts or meets, times all that
/// may have to be carried there.
fn weigh(
    body: &FunctionBody<'_>,
    own: Signature,
    types: &[Signature],
) -> Result<(u64, u64), wasmparser::BinaryReaderError> {
    let mut values = own.params.saturating_add(own.results);
    for locals in body.get_locals_reader()? {
        values = values.saturating_add(u64::from(locals?.0));
    }
    let (mut count, mut ways, mut carried) = (0_u64, 1_u64, 0_u64);
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        count += 1;
        // wasmparser's enum: all other operators go straight on.
        match operators.read()? {
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                ways += 1;
                if let BlockType::FuncType(kind) = blockty {
                    let Signature { params, results } = signature(types, kind);
                    carried = carried.max(params + results);
                }
            }
            Operator::Br { .. } | Operator::BrIf { .. } | Operator::Else => ways += 1,
            Operator::BrTable { targets } => ways += u64::from(targets.len()) + 1,
            _ => {}
        }
    }
    let flow = ways.saturating_mul(values.saturating_add(carried));
    Ok((count, flow))
}

fn unreadable(why: wasmparser::BinaryReaderError) -> String {
    format!("it cannot be compiled (cut off?): {why}")
}

fn bounded(has: u64, max: u64, what: &str) -> Result<(), String> {
    if has <= max {
        return Ok(());
    }
    Err(format!(
        "it has more {what} than the {max} that are compiled here: make it smaller"
    ))
}
