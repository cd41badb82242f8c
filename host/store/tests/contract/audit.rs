//! What is remembered of changes: with the change, in order, and never without it.

use whisperer_domain::access::{Actor, Note, Right, Rights};
use whisperer_domain::catalog::{CatalogChange, Token};
use whisperer_domain::id::{EventId, Owner, Sequence};
use whisperer_domain::port::{CatalogError, DirectError, Directive, Run, Scope};
use whisperer_domain::time::Timestamp;

use crate::stage::{START, Stage, hook, over_both};

over_both!(
    a_change_and_its_note_are_one,
    a_directive_and_its_note_are_one,
    a_revoked_token_is_gone_and_its_rights_were_kept,
);

fn note(action: &'static str) -> Note {
    Note {
        actor: Actor {
            owner: Owner::parse("ann").unwrap(),
            token: "0101010101010101".to_owned(),
        },
        action,
        before: None,
        after: Some("{}".to_owned()),
    }
}

async fn a_change_and_its_note_are_one(stage: Stage) {
    let create = || {
        let hook = Box::new(hook("ann", "https://a.example/", "package.*"));
        CatalogChange::CreateHook(hook)
    };
    let noted = |change| stage.catalog.change_noted(change, note("created"));
    noted(create()).await.unwrap();
    // Refused, so nothing is remembered of it.
    let refused = noted(create()).await;
    assert!(
        matches!(refused, Err(CatalogError::Duplicate)),
        "{refused:?}"
    );
    let revision = stage.catalog.snapshot().revision;
    noted(CatalogChange::Noted("plugins/redact".to_owned()))
        .await
        .unwrap();
    assert_eq!(stage.catalog.snapshot().revision, revision);

    let all = stage.catalog.audit(None, 10).await.unwrap();
    let said: Vec<_> = all.iter().map(|it| (it.number, &*it.object)).collect();
    assert_eq!(said, [(2, "plugins/redact"), (1, "hooks/1")]);
    assert_eq!(all[1].actor, note("created").actor);
    assert_eq!(all[1].at, START);
    assert_eq!(all[1].after.as_deref(), Some("{}"));
    let rest = stage.catalog.audit(Some(2), 10).await.unwrap();
    assert_eq!(rest, all[1..]);
    assert_eq!(stage.catalog.audit(None, 1).await.unwrap(), all[..1]);
}

async fn a_directive_and_its_note_are_one(stage: Stage) {
    stage.hook("ann", "https://a.example/", "package.*").await;
    stage.post("e1").await;
    let retry = |delivery| Directive::Retry {
        delivery: Sequence(delivery),
        force: true,
    };
    let direct = |delivery, run| stage.ledger.direct(retry(delivery), Scope::All, run);
    let noted = || Run::Real(Some(note("retried")));
    direct(1, Run::Dry).await.unwrap();
    let refused = direct(9, noted()).await;
    assert!(matches!(refused, Err(DirectError::NotFound)), "{refused:?}");
    assert_eq!(stage.catalog.audit(None, 10).await.unwrap(), []);
    direct(1, noted()).await.unwrap();
    let all = stage.catalog.audit(None, 10).await.unwrap();
    assert_eq!(all.len(), 1);

    // To nobody: nothing is written but the note.
    let replay = Directive::Replay {
        event: EventId::parse("e1").unwrap(),
        recipients: Vec::new(),
        revision: stage.catalog.snapshot().revision,
    };
    let run = Run::Real(Some(note("replayed")));
    stage.ledger.direct(replay, Scope::All, run).await.unwrap();
    let second = stage.catalog.audit(None, 10).await.unwrap();
    assert_eq!((second.len(), &*second[0].object), (2, "events/e1"));
    assert_eq!(
        (&*all[0].action, &*all[0].object),
        ("retried", "hook_events/1")
    );
}

async fn a_revoked_token_is_gone_and_its_rights_were_kept(stage: Stage) {
    let token = Token {
        hash: [1; 32],
        owner: Owner::parse("ann").unwrap(),
        rights: Rights::from_iter([Right::HooksRead, Right::EventsWrite]),
        created_at: Timestamp(3),
    };
    let change = |change| stage.catalog.change(change);
    change(CatalogChange::PutToken(token.clone()))
        .await
        .unwrap();
    let kept = stage.catalog.snapshot().tokens[&token.hash].rights;
    assert_eq!(kept, token.rights);
    change(CatalogChange::DeleteToken(token.hash))
        .await
        .unwrap();
    assert!(!stage.catalog.snapshot().tokens.contains_key(&token.hash));
    let again = change(CatalogChange::DeleteToken(token.hash)).await;
    assert!(matches!(again, Err(CatalogError::NotFound)), "{again:?}");
}
