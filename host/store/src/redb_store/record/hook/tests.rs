//! The bytes of what hooks did not have at first.

use whisperer_domain::event_type::EventPattern;
use whisperer_domain::hook::{ChainLink, Hook, PluginChoice};
use whisperer_domain::id::{HookId, Owner};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::secret::Secret;
use whisperer_domain::sign::KeyPair;
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;
use zeroize::Zeroizing;

use super::{Appended, Hidden, HookRecord, OrderedRecord, Pacing, sealed_tail};
use crate::redb_store::frame;
use crate::redb_store::key::Key;
use crate::redb_store::seal::Seal;

/// With a chain of one plugin, whose config hides these places.
fn hook(hidden: &[&str]) -> Hook {
    let target = TargetUrl::parse("https://a.example/").unwrap();
    let link = ChainLink {
        hidden: hidden.iter().map(|it| (*it).to_owned()).collect(),
        ..ChainLink::new(
            PluginName::parse("p").unwrap(),
            Secret::new("{}".to_owned()),
        )
    };
    Hook {
        plugins: PluginChoice::Chain(vec![link]),
        ..Hook::new(Owner::parse("ann").unwrap(), target, EventPattern::All)
    }
}

fn with_keys(mut hook: Hook) -> Hook {
    hook.secret_key = Some(Secret::new("newest".to_owned()));
    hook.key_pair = Some(KeyPair::from_seed(&[1; 32]));
    let old = Secret::new("older".to_owned());
    hook.old_secret_keys.retire(old, Timestamp(300));
    let old = KeyPair::from_seed(&[2; 32]);
    hook.old_key_pairs.retire(old, Timestamp(400));
    hook
}

#[test]
fn a_hook_without_such_keys_is_sealed_as_it_was_before_there_were_any() {
    assert!(sealed_tail(&hook(&[])).is_empty());
    let hidden: Hidden = vec![vec!["/a".to_owned()]];
    assert_eq!(*sealed_tail(&hook(&["/a"])), frame::encode(&hidden));
}

#[test]
fn keys_come_back_whatever_stands_beside_them() {
    let seal = Seal::new(Key::new(&Zeroizing::new([7; 32])));
    for hidden in [&[][..], &["/a", "/b/0"]] {
        for hook in [hook(hidden), with_keys(hook(hidden))] {
            let bytes = HookRecord::sealed(&hook, &seal).unwrap().encode();
            let record = HookRecord::decode("hooks", HookId(0), &bytes).unwrap();
            let read = record.into_hook("hooks", HookId(0), &seal).unwrap();
            assert!(!read.secrets_unreadable);
            assert_eq!(read, hook);
        }
    }
}

#[test]
fn what_was_appended_keeps_its_bytes() {
    let filter = || Appended {
        filter: Some("{}".to_owned()),
    };
    let pacing = |ordered| Pacing {
        rate_limit: Some(300),
        ordered,
    };
    assert_eq!(frame::appended(&filter()), b"\x01\x02{}");
    for (ordered, word) in [
        (OrderedRecord::No, 0),
        (OrderedRecord::Hook, 1),
        (OrderedRecord::Object, 2),
    ] {
        let bytes = frame::appended(&(Appended::default(), pacing(ordered)));
        assert_eq!(bytes, [0, 1, 0xac, 2, word]);
    }
    let (first, rest) = frame::take_appended::<Appended>("t", &1, b"\x01\x02{}").unwrap();
    assert!(first == filter(), "from before there was a pace");
    let later: Pacing = frame::read_appended("t", &1, rest).unwrap();
    assert!(later == Pacing::default());
}
