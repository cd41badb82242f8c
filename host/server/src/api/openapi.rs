//! `/openapi.json` and `/docs`: what this API is, told by the code that answers.
//!
//! Each handler carries its own description, and only a handler that has one can be routed. What
//! all of them share (who may call, what may be wrong with a body, the shape of an error) is laid
//! over the document here, once.

mod page;

use http::Method;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Components, ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths,
    Ref, RefOr, Response, ResponseBuilder, SecurityRequirement,
};
use utoipa::{PartialSchema as _, ToSchema};
use whisperer_domain::access::Right;

use super::guard::{Access, Route};

pub(super) use page::{Page, document as shown, page};

const PROBLEM_JSON: &str = "application/problem+json";
const ABOUT: &str = "Takes events, keeps them safe, and delivers each to every hook that wants \
     it, signed, through the hook's plugins, until it is there. Paths work with and without \
     their trailing slash.";

/// An error, as RFC 9457 writes it. On routes of the OMS the members of `errors` stand at the
/// top level too.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
struct ProblemView {
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    status: u16,
    /// What went wrong, and the way out.
    detail: String,
    /// By field, nested as the input is: lists of sentences.
    #[schema(value_type = Option<Object>)]
    errors: Option<Value>,
    /// What the OMS's clients know an error by.
    code: Option<String>,
    /// The same in its words.
    en: Option<String>,
}

/// The whole document over these routes.
pub(super) fn document(routes: &[Route]) -> OpenApi {
    let mut paths = Paths::new();
    for route in routes {
        let mut described = route.handlers.1.clone();
        for item in described.paths.values_mut() {
            let operations = [
                (Method::GET, &mut item.get),
                (Method::PUT, &mut item.put),
                (Method::POST, &mut item.post),
                (Method::PATCH, &mut item.patch),
                (Method::DELETE, &mut item.delete),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    complete(operation, route.needs.of(&method));
                }
            }
        }
        paths.merge(described);
    }
    let info = InfoBuilder::new()
        .title("Whisperer")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT));
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components(routes)))
        .build()
}

fn components(routes: &[Route]) -> Components {
    let described = "`Token <token>`; `Bearer` is accepted too.";
    let token = ApiKeyValue::with_description("Authorization", described);
    let mut components = ComponentsBuilder::new()
        .schema("Problem", ProblemView::schema())
        .security_scheme("token", SecurityScheme::ApiKey(ApiKey::Header(token)))
        .security_scheme(
            "bearer",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
    for (name, schema) in routes.iter().flat_map(|route| &route.handlers.0) {
        components = components.schema(name, schema.clone());
    }
    let mut components = components.build();
    // The same fields, none of them needed.
    if let Some(RefOr::T(Schema::Object(input))) = components.schemas.get("HookInput") {
        let mut patch = input.clone();
        patch.required.clear();
        let patch = RefOr::T(Schema::Object(patch));
        components.schemas.insert("HookPatch".to_owned(), patch);
    }
    components
}

/// Says what is true of every operation.
fn complete(operation: &mut Operation, access: Access) {
    guarded(operation, access);
    if operation.request_body.is_some() {
        say(operation, 400, "The input is not valid: see `errors`.");
        say(operation, 408, "The body took too long to come.");
        say(operation, 413, "The body is larger than it may be.");
        let words = "The body is of a type, or packed in a way, that is not taken.";
        say(operation, 415, words);
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
            && response.content.is_empty()
        {
            *response = problem(&response.description);
        }
    }
}

/// An operation that is open to some says by a `security` of its own to whom.
fn guarded(operation: &mut Operation, access: Access) {
    let right = match access {
        Access::Open => {
            let nobody = || vec![SecurityRequirement::default()];
            operation.security.get_or_insert_with(nobody);
            return;
        }
        Access::Token => None,
        Access::Right(right) => Some(right),
    };
    let scopes: Vec<&str> = right.into_iter().map(Right::scope).collect();
    let by = |scheme| SecurityRequirement::new(scheme, scopes.clone());
    operation.security = Some(vec![by("token"), by("bearer")]);
    say(operation, 401, "No token, or one that is not known.");
    if let Some(right) = right {
        let words = format!("It takes a token with the scope {}.", right.scope());
        say(operation, 403, &words);
    }
    let words = "This token calls too often, or this address without one: see `Retry-After`.";
    say(operation, 429, words);
    let words = "The store cannot be used just now: come again after `Retry-After`.";
    say(operation, 503, words);
}

/// Unless the operation says it itself.
fn say(operation: &mut Operation, status: u16, words: &str) {
    let all = &mut operation.responses.responses;
    all.entry(status.to_string())
        .or_insert_with(|| RefOr::T(problem(words)));
}

fn problem(words: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new()
        .description(words)
        .content(PROBLEM_JSON, content.build())
        .build()
}
