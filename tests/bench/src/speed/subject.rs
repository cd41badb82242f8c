//! What is measured: a build of Whisperer, which is started afresh for every run, or a server
//! that runs already and is described by a file.

use std::cell::Cell;
use std::path::PathBuf;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tempfile::TempDir;

use super::payload;
use super::plugin::{Plugin, keep_compiled};
use super::point::Point;
use crate::api;
use crate::generator::{Generator, Types};
use crate::receiver::{Hooks, Receiver};
use crate::server::TOKEN;
use crate::target::{Prepared, Target};
use crate::usage::Usage;
use crate::wall;
use crate::world::{Stage, World};

/// Calls that wait for their answers at one time, when hooks are registered.
const SIDE_BY_SIDE: usize = 32;

pub(crate) enum Subject {
    Build {
        stage: Stage,
        components: Vec<PathBuf>,
        /// What its servers compiled of the components.
        compiled: TempDir,
    },
    Elsewhere(Box<Target>),
}

/// A server that is there, and a receiver for it.
pub(crate) struct Scene {
    pub(crate) target: Target,
    pub(crate) http: reqwest::Client,
    /// What the names of its event types begin with.
    pub(crate) stem: String,
    /// The number of the next event that nobody has posted.
    pub(crate) next: Cell<u64>,
    place: Place,
}

enum Place {
    Ours(Box<World>),
    Elsewhere(Box<Receiver>),
}

impl Subject {
    pub(crate) fn build(stage: Stage, components: Vec<PathBuf>) -> anyhow::Result<Self> {
        let compiled = tempfile::Builder::new()
            .prefix("whisperer-bench-compiled-")
            .tempdir_in(&stage.folder)?;
        Ok(Self::Build {
            stage,
            components,
            compiled,
        })
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Build { stage, .. } => stage.binary.display().to_string(),
            Self::Elsewhere(target) => target.name.clone(),
        }
    }

    /// Why a point cannot be measured here, if so.
    pub(crate) fn leaves_out(&self, point: &Point) -> Option<String> {
        let plugin = point.plugin?;
        match self {
            Self::Elsewhere(_) => Some("plugins are measured in builds only".to_owned()),
            Self::Build { components, .. } => plugin.among(components).is_none().then(|| {
                "its component is not there: name its file by --component (make bench does, where \
                 it can be built)"
                    .to_owned()
            }),
        }
    }

    /// A server with the hooks of a point.
    pub(crate) async fn open(&self, point: &Point) -> anyhow::Result<Scene> {
        // Of this run alone: what runs already remembers the hooks of earlier ones.
        let stem = format!("bench.r{}", wall::now_us());
        let http = api::http()?;
        let scene = match self {
            Self::Build {
                stage,
                components,
                compiled,
            } => {
                let file = |plugin: Plugin| plugin.among(components);
                let plugin = point.plugin.and_then(|it| Some((it, file(it)?)));
                let kept = plugin.map(|(it, _)| compiled.path().join(it.name()));
                let world = World::start_on(stage, |data| match (plugin, &kept) {
                    (Some((plugin, file)), Some(kept)) => plugin.put_into(data, file, kept),
                    (_, _) => Ok(()),
                })
                .await?;
                let target = Target::whisperer(&world.server()?.base, TOKEN)?;
                let scene = Scene {
                    target,
                    http,
                    stem,
                    next: Cell::new(0),
                    place: Place::Ours(Box::new(world)),
                };
                scene.register(&scene.stem, point).await?;
                if let (Some(kept), Place::Ours(world)) = (kept, &scene.place) {
                    keep_compiled(&world.data(), &kept)?;
                }
                return Ok(scene);
            }
            Self::Elsewhere(target) => Scene {
                target: target.as_ref().clone(),
                place: Place::Elsewhere(Box::new(Receiver::start(&http).await?)),
                http,
                stem,
                next: Cell::new(0),
            },
        };
        scene.register(&scene.stem, point).await?;
        Ok(scene)
    }
}

impl Scene {
    /// Over so many connections, to event types whose names begin with `stem`.
    pub(crate) async fn generator(&self, stem: &str, point: &Point) -> anyhow::Result<Generator> {
        let rest = payload::rest(point.payload_bytes);
        let posts = self.target.posts(stem, &types(stem, point), &rest)?;
        Generator::connect(posts, point.connections).await
    }

    pub(crate) fn receiver(&self) -> &Receiver {
        match &self.place {
            Place::Ours(world) => &world.receiver,
            Place::Elsewhere(receiver) => receiver,
        }
    }

    /// What all of the server's processes used; none if nobody told which they are.
    pub(crate) fn usage(&self) -> anyhow::Result<Option<Usage>> {
        match &self.place {
            Place::Ours(world) => world.server()?.usage().map(Some),
            Place::Elsewhere(_) => Usage::of_all(&self.target.pids),
        }
    }

    /// The end of the server's log, where it is at hand.
    pub(crate) fn last_words(&self) -> String {
        match &self.place {
            Place::Ours(world) => format!("the server's log ends so:\n{}", world.last_words()),
            Place::Elsewhere(_) => "the server's own log may tell more".to_owned(),
        }
    }

    pub(crate) async fn end(self) -> anyhow::Result<()> {
        match self.place {
            Place::Ours(world) => world.end().await,
            Place::Elsewhere(_) => Ok(()),
        }
    }

    /// Event types and hooks, whose names begin with `stem`.
    pub(crate) async fn register(&self, stem: &str, point: &Point) -> anyhow::Result<()> {
        let plugins = point.plugin.map(Plugin::chain);
        let plugins = plugins.as_deref().unwrap_or("[]");
        let types = types(stem, point);
        let many = point.hooks.count();
        let type_count = match point.hooks {
            Hooks::Every(_) => 1,
            Hooks::OneOf(count) => count,
        };
        let event_type = |hook: u32| types.of(hook.into());
        let (event_type, target) = (&event_type, &self.target);
        self.each(type_count, |hook| {
            target.event_type_calls(&event_type(hook))
        })
        .await?;
        let url = |hook: u32| self.receiver().counting_url(hook);
        self.each(many, |hook| {
            target.hook_calls(&event_type(hook), &url(hook), plugins)
        })
        .await?;
        if point.idle_hooks == 0 {
            return Ok(());
        }
        let idle = &format!("{stem}.idle");
        self.each(1, |_| target.event_type_calls(idle)).await?;
        self.each(point.idle_hooks, |hook| {
            target.hook_calls(idle, &url(many + hook), plugins)
        })
        .await
    }

    /// Makes the calls of each, several side by side.
    async fn each(
        &self,
        count: u32,
        calls: impl Fn(u32) -> anyhow::Result<Vec<Prepared>>,
    ) -> anyhow::Result<()> {
        let calls = &calls;
        let one = |hook: u32| async move {
            for call in calls(hook)? {
                call.send(&self.http)
                    .await
                    .with_context(|| format!("registering hook {hook}"))?;
            }
            anyhow::Ok(())
        };
        let all = futures_util::stream::iter(0..count).map(one);
        all.buffer_unordered(SIDE_BY_SIDE).try_collect().await
    }
}

/// Those of a point's events.
pub(crate) fn types(stem: &str, point: &Point) -> Types {
    let stem = format!("{stem}.n");
    match point.hooks {
        Hooks::Every(_) => Types::One(format!("{stem}0")),
        Hooks::OneOf(count) => Types::Many { stem, count },
    }
}
