//! A guest that misbehaves in the way its configuration names: one component shows every limit.

#[cfg(target_family = "wasm")]
mod act;

#[cfg(target_family = "wasm")]
whisperer_sdk::plugin! {
    transform: act::act,
}
