//! Hooks as a plan wants them.

use whisperer_domain::access::{Right, Rights};
use whisperer_domain::catalog::{CatalogChange, Changed, Token};
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::hook::{Hook, PluginChoice};
use whisperer_domain::id::{HookId, Owner};
use whisperer_domain::port::Catalog;
use whisperer_domain::sign::SignatureForm;
use whisperer_domain::target_url::TargetUrl;

use crate::ops::HookPlan;
use crate::world::World;

/// Makes them all; the first one is the healthy one.
pub(super) async fn make(world: &World, plans: &[HookPlan], listens: bool) -> Vec<HookId> {
    let mut ids = Vec::new();
    for (place, planned) in plans.iter().enumerate() {
        ids.push(made(world, hook(place, planned)).await);
    }
    world.state().model.healthy = Some(ids[0]);
    if listens {
        listen(world, ids.len(), &plans[0]).await;
    }
    ids
}

async fn made(world: &World, hook: Hook) -> HookId {
    let max_age = hook.max_age;
    let created = world
        .store
        .change(CatalogChange::CreateHook(Box::new(hook)));
    let id = match created.await {
        Ok(Changed::Hook(hook)) => hook.id,
        other => panic!("a hook cannot be made: {other:?}"),
    };
    world.state().model.max_ages.insert(id, max_age);
    id
}

/// Makes an admin's hook that is told what happens.
async fn listen(world: &World, place: usize, planned: &HookPlan) {
    let token = Token {
        hash: [1; 32],
        owner: owner(),
        rights: Rights::from_iter([Right::Admin]),
        created_at: world.now(),
    };
    let put = world.store.change(CatalogChange::PutToken(token));
    put.await.expect("there is no other token");
    let hook = Hook {
        subscription: EventPattern::parse("whisperer.*").expect("a valid pattern"),
        ..hook(place, planned)
    };
    made(world, hook).await;
}

fn owner() -> Owner {
    Owner::parse("simulation").expect("a valid owner")
}

fn hook(place: usize, planned: &HookPlan) -> Hook {
    Hook {
        retry: planned.retry.clone(),
        max_attempts: planned.max_attempts,
        max_age: planned.max_age,
        plugins: if planned.transformed {
            PluginChoice::ByPattern
        } else {
            PluginChoice::Chain(Vec::new())
        },
        on_plugin_error: planned.on_plugin_error,
        signatures: vec![SignatureForm::Standard],
        max_in_flight: planned.max_in_flight,
        rate_limit: planned.rate_limit,
        ordered: planned.ordered,
        ..Hook::new(
            owner(),
            TargetUrl::parse(&format!("https://h{place}.example/")).expect("a valid target"),
            EventPattern::All,
        )
    }
}
