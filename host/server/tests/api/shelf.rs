//! The sandbox's stand-in: one plugin, `redact`, that answers each dry run with what it was asked.

use std::sync::Mutex;

use whisperer_domain::attempt::PluginRun;
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::hook::PluginChoice;
use whisperer_domain::id::{Digest, HookId};
use whisperer_domain::json_schema::Misfit;
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{BoxFuture, Chained, Made, TransformJob, Transformed};
use whisperer_sandbox::{
    About, Part, PluginStatus, PutError, Stopped, Stray, Totals, Trial, UnfitHook, Usage,
};
use whisperer_server::api::Plugins;

#[derive(Default)]
pub(crate) struct Shelf {
    /// What was put, by name.
    put: Mutex<Vec<PluginName>>,
}

fn status(name: &PluginName) -> PluginStatus {
    PluginStatus {
        name: name.clone(),
        enabled: true,
        patterns: vec![EventPattern::All],
        digest: Some(Digest([7; 32])),
        generation: 1,
        limits: None,
        imports: Vec::new(),
        about: About {
            config_schema: Some(r#"{"type": "object"}"#.to_owned()),
            ..About::default()
        },
        refusal: None,
        default_misfits: Vec::new(),
        unfit: vec![UnfitHook {
            hook: HookId(1),
            misfits: vec![Misfit {
                path: vec!["paths".to_owned()],
                message: "too many".to_owned(),
            }],
        }],
        stopped: Stopped::default(),
        totals: Totals::default(),
    }
}

impl Plugins for Shelf {
    fn list(&self) -> Vec<PluginStatus> {
        vec![status(&PluginName::parse("redact").unwrap())]
    }

    fn strays(&self) -> Vec<Stray> {
        Vec::new()
    }

    fn one(&self, name: &PluginName) -> Option<PluginStatus> {
        let put = self.put.lock().unwrap();
        (name.as_str() == "redact" || put.contains(name)).then(|| status(name))
    }

    fn try_out(&self, job: TransformJob) -> BoxFuture<'_, Trial> {
        Box::pin(async move {
            let PluginChoice::Chain(links) = &job.choice else {
                panic!("a chain was asked for");
            };
            let configs: Vec<String> = links
                .iter()
                .map(|link| format!("{}={}", link.name, &*link.config.expose()))
                .collect();
            let payload = serde_json::json!({"configs": configs, "origin": job.origin});
            let run = PluginRun {
                plugin: links[0].name.clone(),
                digest: Digest([7; 32]),
                took_us: 5,
                result: "modified".to_owned(),
                log: vec!["info: hello".to_owned()],
            };
            Trial {
                transformed: Transformed {
                    result: Chained::Made(Made {
                        payload: Some(payload.to_string().into()),
                        content_type: None,
                        bare: false,
                        header_ops: Vec::new(),
                    }),
                    runs: vec![run],
                    took: std::time::Duration::from_micros(9),
                },
                usages: vec![Usage {
                    memory_bytes: 65_536,
                    instructions: None,
                }],
            }
        })
    }

    fn put(&self, name: PluginName, part: Part) -> BoxFuture<'_, Result<(), PutError>> {
        Box::pin(async move {
            match part {
                Part::Component(bytes) if bytes.starts_with(b"\0asm") => {
                    self.put.lock().unwrap().push(name);
                    Ok(())
                }
                Part::Component(_) => Err(PutError::Refused("the file is text".to_owned())),
                Part::Settings(_) => Ok(()),
            }
        })
    }

    fn remove(&self, name: PluginName) -> BoxFuture<'_, Result<(), PutError>> {
        Box::pin(async move {
            self.put.lock().unwrap().retain(|known| *known != name);
            Ok(())
        })
    }

    fn release(&self, _: &PluginName) -> bool {
        true
    }
}
