//! What the types of operational events are, in words. They stand here and not in the store, for
//! they are ours to say: the catalogue only has their names.

use whisperer_domain::event_type::EventType;

pub(in crate::api) struct About {
    name: &'static str,
    pub(in crate::api) description: &'static str,
    /// A payload. Its members are held against what is really sent by `black_box/told.rs`.
    pub(in crate::api) example: &'static str,
}

const ALL: [About; 4] = [
    About {
        name: "whisperer.hook.failing",
        description: "Every attempt of a hook failed for as long as failing_told_secs.",
        example: r#"{"hook": {"id": 7, "owner": "alice", "target": "https://partner.example", "event_type": "package.*"}, "failing_since": "2026-01-31T12:00:00.000Z"}"#,
    },
    About {
        name: "whisperer.hook.recovered",
        description: "An attempt of a hook succeeded, of which it had been told that it fails.",
        example: r#"{"hook": {"id": 7, "owner": "alice", "target": "https://partner.example", "event_type": "package.*"}, "failing_since": "2026-01-31T12:00:00.000Z"}"#,
    },
    About {
        name: "whisperer.hook.disabled",
        description: "A hook was disabled: its receiver asked for it, or failed for failing_disabled_secs.",
        example: r#"{"hook": {"id": 7, "owner": "alice", "target": "https://partner.example", "event_type": "package.*"}, "reason": "the receiver answered 410"}"#,
    },
    About {
        name: "whisperer.delivery.dead",
        description: "A delivery is given up. Its cause is exhausted, expired, plugin, unsendable or aborted.",
        example: r#"{"hook": {"id": 7, "owner": "alice", "target": "https://partner.example", "event_type": "package.*"}, "delivery": {"id": 4711, "uuid": "01990a5c2f7b7d3c8a6e5d4c3b2a1908", "attempts": 10, "created_date": "2026-01-31T12:00:00.000Z", "last_status": 503, "cause": "exhausted", "event": {"id": "order-4711-paid", "type": "package.created", "object_id": "4711"}}}"#,
    },
];

pub(in crate::api) fn about(name: &EventType) -> Option<&'static About> {
    ALL.iter().find(|about| about.name == name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use whisperer_domain::event_type::EventType;
    use whisperer_domain::news::NEWS_TYPES;

    use super::{ALL, about};

    #[test]
    fn all_of_them_are_told_and_their_examples_are_json() {
        assert_eq!(ALL.map(|about| about.name), NEWS_TYPES);
        for name in NEWS_TYPES {
            let about = about(&EventType::parse(name).unwrap()).unwrap();
            let example: Value = serde_json::from_str(about.example).unwrap();
            assert!(example["hook"]["id"].is_number(), "{name}");
            assert!(!about.description.is_empty(), "{name}");
        }
        assert!(about(&EventType::parse("package.created").unwrap()).is_none());
    }
}
