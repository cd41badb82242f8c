//! An event type as it is stored. Example and schema came later and follow as appended fields.

use serde::{Deserialize, Serialize};
use whisperer_domain::event_type::{EventTypeInfo, PayloadSchema};

use crate::redb_store::fault::Fault;
use crate::redb_store::frame;

#[derive(Serialize, Deserialize)]
struct EventTypeRecord {
    description: String,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct Appended {
    example: Option<String>,
    schema: Option<String>,
}

pub(in crate::redb_store) fn encode_event_type(info: &EventTypeInfo) -> Vec<u8> {
    let record = EventTypeRecord {
        description: info.description.clone(),
    };
    let appended = Appended {
        example: info.example.as_deref().map(str::to_owned),
        schema: info.schema.as_ref().map(|schema| schema.text().to_string()),
    };
    frame::encode_with_tail(&record, &frame::appended(&appended))
}

pub(in crate::redb_store) fn decode_event_type(
    key: &str,
    bytes: &[u8],
) -> Result<EventTypeInfo, Fault> {
    let (record, tail): (EventTypeRecord, _) = frame::decode_with_tail("event_types", &key, bytes)?;
    let appended: Appended = frame::read_appended("event_types", &key, tail)?;
    let schema = appended.schema.as_deref().map(PayloadSchema::stored);
    Ok(EventTypeInfo {
        description: record.description,
        example: appended.example.map(Into::into),
        schema: schema.map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    use whisperer_domain::event_type::{EventTypeInfo, PayloadSchema};

    use super::{EventTypeRecord, decode_event_type, encode_event_type};
    use crate::redb_store::frame;

    #[test]
    fn types_from_before_there_were_schemas_are_read_and_written_as_they_were() {
        let old = frame::encode(&EventTypeRecord {
            description: "told".to_owned(),
        });
        let info = decode_event_type("a", &old).unwrap();
        assert_eq!(
            (info.description.as_str(), &info.example, &info.schema),
            ("told", &None, &None)
        );
        assert_eq!(encode_event_type(&info), old);
        let full = EventTypeInfo {
            example: Some("{ }".into()),
            schema: Some(PayloadSchema::stored("{}").into()),
            ..info
        };
        assert_eq!(
            decode_event_type("a", &encode_event_type(&full)).unwrap(),
            full
        );
        let mut longer = encode_event_type(&full);
        longer = {
            let (record, tail): (EventTypeRecord, _) =
                frame::decode_with_tail("t", &1, &longer).unwrap();
            frame::encode_with_tail(&record, &[tail, b"x"].concat())
        };
        assert!(
            decode_event_type("a", &longer).is_err(),
            "what a newer host appended is not dropped"
        );
    }
}
