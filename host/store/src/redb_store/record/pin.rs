//! What a delivery is pinned to. What a chain made is sealed, all of it: plugins put credentials from
//! their configurations into headers and bodies. Pins from before that lie in clear, until keys are
//! exchanged or the file is brought up to date.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use whisperer_domain::delivery::Pin;
use whisperer_domain::envelope::Envelope;
use whisperer_domain::header::HeaderOp;
use whisperer_domain::id::{Digest, Sequence};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::secret::Secret;
use zeroize::{Zeroize as _, Zeroizing};

use crate::redb_store::fault::Fault;
use crate::redb_store::frame;
use crate::redb_store::seal::{KeyId, Seal, With};

#[derive(Serialize, Deserialize)]
enum PinRecord {
    Unchanged {
        envelope: Envelope,
        digests: Vec<(PluginName, Digest)>,
    },
    /// In clear, with the body as the record's tail: read, and written no more.
    Made(MadeRecord),
    /// The tail is the sealed record of a [`MadeRecord`], with the body as its own tail.
    Sealed(With),
}

#[derive(Serialize, Deserialize)]
struct MadeRecord {
    content_type: String,
    header_ops: Vec<HeaderOpRecord>,
    digests: Vec<(PluginName, Digest)>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum HeaderOpRecord {
    Set { name: String, value: String },
    Append { name: String, value: String },
    Remove { name: String },
}

impl From<HeaderOp> for HeaderOpRecord {
    fn from(op: HeaderOp) -> Self {
        let text = |value: &Secret| value.expose().to_string();
        match op {
            HeaderOp::Set { name, value } => Self::Set {
                name,
                value: text(&value),
            },
            HeaderOp::Append { name, value } => Self::Append {
                name,
                value: text(&value),
            },
            HeaderOp::Remove { name } => Self::Remove { name },
        }
    }
}

impl HeaderOpRecord {
    fn into_op(mut self) -> HeaderOp {
        match &mut self {
            Self::Set { name, value } => HeaderOp::Set {
                name: std::mem::take(name),
                value: Secret::new(std::mem::take(value)),
            },
            Self::Append { name, value } => HeaderOp::Append {
                name: std::mem::take(name),
                value: Secret::new(std::mem::take(value)),
            },
            Self::Remove { name } => HeaderOp::Remove {
                name: std::mem::take(name),
            },
        }
    }
}

impl Drop for HeaderOpRecord {
    fn drop(&mut self) {
        match self {
            Self::Set { value, .. } | Self::Append { value, .. } => value.zeroize(),
            Self::Remove { .. } => {}
        }
    }
}

pub(in crate::redb_store) fn encode_pin(
    sequence: Sequence,
    pin: Pin,
    seal: &Seal,
) -> Result<Vec<u8>, Fault> {
    match pin {
        Pin::Unchanged { envelope, digests } => {
            Ok(frame::encode(&PinRecord::Unchanged { envelope, digests }))
        }
        Pin::Made {
            body,
            content_type,
            header_ops,
            digests,
        } => {
            let record = MadeRecord {
                content_type,
                header_ops: header_ops.into_iter().map(Into::into).collect(),
                digests,
            };
            sealed(sequence, &record, &body, seal)
        }
    }
}

fn sealed(
    sequence: Sequence,
    record: &MadeRecord,
    body: &[u8],
    seal: &Seal,
) -> Result<Vec<u8>, Fault> {
    let plain = Zeroizing::new(frame::encode_with_tail(record, body));
    let sealed = seal.seal(&belongs_to(sequence), &plain)?;
    let head = PinRecord::Sealed(sealed.with);
    Ok(frame::encode_with_tail(&head, &sealed.text))
}

pub(in crate::redb_store) fn decode_pin(
    sequence: Sequence,
    bytes: &[u8],
    seal: &Seal,
) -> Result<Pin, Fault> {
    let (record, tail) = frame::decode_with_tail("pins", &sequence.0, bytes)?;
    match record {
        PinRecord::Unchanged { .. } if !tail.is_empty() => Err(frame::damaged(
            "pins",
            &sequence.0,
            "has bytes after its end",
        )),
        PinRecord::Unchanged { envelope, digests } => Ok(Pin::Unchanged { envelope, digests }),
        PinRecord::Made(record) => Ok(pin_of(record, tail)),
        PinRecord::Sealed(with) => {
            let plain = opened(sequence, &with, tail, seal)?;
            let (record, body) = frame::decode_with_tail("pins", &sequence.0, &plain)?;
            Ok(pin_of(record, body))
        }
    }
}

fn pin_of(record: MadeRecord, body: &[u8]) -> Pin {
    let ops = record.header_ops.into_iter();
    Pin::Made {
        body: Bytes::copy_from_slice(body),
        content_type: record.content_type,
        header_ops: ops.map(HeaderOpRecord::into_op).collect(),
        digests: record.digests,
    }
}

fn opened(
    sequence: Sequence,
    with: &With,
    text: &[u8],
    seal: &Seal,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    seal.open_parts(&belongs_to(sequence), with, text)
        .ok_or_else(|| {
            let what = format!("was sealed under the key {} and does not open", with.key_id);
            frame::damaged("pins", &sequence.0, &what)
        })
}

/// Under which key a pin is sealed, if it is.
pub(in crate::redb_store) fn sealer_of_pin(
    sequence: Sequence,
    bytes: &[u8],
) -> Result<Option<KeyId>, Fault> {
    let (record, _) = frame::decode_with_tail("pins", &sequence.0, bytes)?;
    Ok(match record {
        PinRecord::Unchanged { .. } | PinRecord::Made(_) => None,
        PinRecord::Sealed(with) => Some(with.key_id),
    })
}

/// The record under the key that seals now. None: nothing is to be done.
pub(in crate::redb_store) fn resealed_pin(
    sequence: Sequence,
    bytes: &[u8],
    seal: &Seal,
) -> Result<Option<Vec<u8>>, Fault> {
    let (record, tail) = frame::decode_with_tail("pins", &sequence.0, bytes)?;
    match record {
        PinRecord::Unchanged { .. } => Ok(None),
        PinRecord::Made(record) => sealed(sequence, &record, tail, seal).map(Some),
        PinRecord::Sealed(with) if with.key_id == seal.key_id() => Ok(None),
        PinRecord::Sealed(with) => {
            let plain = opened(sequence, &with, tail, seal)?;
            let sealed = seal.seal(&belongs_to(sequence), &plain)?;
            let head = PinRecord::Sealed(sealed.with);
            Ok(Some(frame::encode_with_tail(&head, &sealed.text)))
        }
    }
}

fn belongs_to(sequence: Sequence) -> Vec<u8> {
    let mut text = b"whisperer pin\0".to_vec();
    text.extend_from_slice(&sequence.0.to_be_bytes());
    text
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use whisperer_domain::delivery::Pin;
    use whisperer_domain::header::HeaderOp;
    use whisperer_domain::id::Sequence;
    use whisperer_domain::secret::Secret;
    use zeroize::Zeroizing;

    use super::{
        HeaderOpRecord, MadeRecord, PinRecord, decode_pin, encode_pin, resealed_pin, sealer_of_pin,
    };
    use crate::redb_store::frame;
    use crate::redb_store::key::Key;
    use crate::redb_store::seal::Seal;

    const SECRET: &str = "a credential of the plugin's";

    fn seal(byte: u8) -> Seal {
        Seal::new(Key::new(&Zeroizing::new([byte; 32])))
    }

    fn made() -> Pin {
        Pin::Made {
            body: Bytes::from_static(b"made of it"),
            content_type: "text/plain".to_owned(),
            header_ops: vec![HeaderOp::Set {
                name: "x-token".to_owned(),
                value: Secret::new(SECRET.to_owned()),
            }],
            digests: Vec::new(),
        }
    }

    fn shows(bytes: &[u8], text: &str) -> bool {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    }

    #[test]
    fn what_a_chain_made_is_sealed_and_bound_to_its_delivery() {
        let (seal, of) = (seal(7), Sequence(300));
        let bytes = encode_pin(of, made(), &seal).unwrap();
        assert!(!shows(&bytes, SECRET) && !shows(&bytes, "made of it"));
        assert_eq!(decode_pin(of, &bytes, &seal).unwrap(), made());
        let elsewhere = decode_pin(Sequence(301), &bytes, &seal).unwrap_err();
        assert!(
            elsewhere.to_string().contains("does not open"),
            "{elsewhere}"
        );
    }

    /// As it was written before pins were sealed: variant 1, then the fields, then the body.
    #[test]
    fn a_pin_in_clear_is_read_and_can_be_sealed() {
        let (seal, of) = (seal(7), Sequence(300));
        let record = MadeRecord {
            content_type: "text/plain".to_owned(),
            header_ops: vec![HeaderOpRecord::Set {
                name: "x-token".to_owned(),
                value: SECRET.to_owned(),
            }],
            digests: Vec::new(),
        };
        let bytes = frame::encode_with_tail(&PinRecord::Made(record), b"made of it");
        assert!(bytes[5..].starts_with(b"\x01\x0atext/plain\x01\x00\x07x-token"));
        assert_eq!(decode_pin(of, &bytes, &seal).unwrap(), made());
        assert_eq!(sealer_of_pin(of, &bytes).unwrap(), None);
        let anew = resealed_pin(of, &bytes, &seal).unwrap().unwrap();
        assert!(!shows(&anew, SECRET));
        assert_eq!(decode_pin(of, &anew, &seal).unwrap(), made());
        assert_eq!(resealed_pin(of, &anew, &seal).unwrap(), None);
    }

    #[test]
    fn a_pin_goes_over_to_another_key() {
        let (old, of) = (seal(7), Sequence(300));
        let both = old.after(Key::new(&Zeroizing::new([8; 32])));
        let bytes = encode_pin(of, made(), &old).unwrap();
        let anew = resealed_pin(of, &bytes, &both).unwrap().unwrap();
        assert_eq!(sealer_of_pin(of, &anew).unwrap(), Some(both.key_id()));
        let new = both.only(|_| false);
        assert_eq!(decode_pin(of, &anew, &new).unwrap(), made());
        assert!(
            resealed_pin(of, &bytes, &new).is_err(),
            "nobody has its key"
        );
    }
}
