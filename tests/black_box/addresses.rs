//! Invariant 6, seen from the API: no spelling of a forbidden address becomes a hook.

use reqwest::Method;
use serde_json::json;

use crate::support::server::{Server, Setup};

const FORBIDDEN: [&str; 52] = [
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.0.1./",
    "http://①②⑦.⓪.⓪.①/",
    "http://１２７．０．０．１/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    "http:169.254.169.254/",
    "http:///169.254.169.254/",
    "http:\\\\169.254.169.254\\latest",
    "http://example.com:80@169.254.169.254/",
    "http://user:password@example.com/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://metadata.google.internal/",
    "http://printer.local/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.0.0.1/",
    "http://192.0.2.1/",
    "http://192.31.196.1/",
    "http://192.52.193.1/",
    "http://192.88.99.1/",
    "http://192.168.1.1/",
    "http://192.175.48.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://168.63.129.16/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a00:1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[2001::1]/",
    "http://[2001:db8::1]/",
    "http://[2002:7f00:1::]/",
    "http://[3fff::1]/",
    "http://[fc00::1]/",
    "http://[fe80::1]/",
    "http://[2620:4f:8000::1]/",
];

const REFUSED_OTHERWISE: [&str; 8] = [
    "ftp://example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "//example.com/",
    "example.com",
    "http://example.com:22/",
    "http://example.com:6379/",
    "",
];

#[tokio::test]
async fn every_spelling_of_a_forbidden_address_is_refused_and_nothing_stored() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup::in_folder(folder.path());
    setup.allow_networks.clear();
    let server = Server::start(&setup).ready().await;
    for url in FORBIDDEN.iter().chain(&REFUSED_OTHERWISE) {
        let body = json!({"target_url": url, "event_type": "*"});
        let (status, answer) = server.call(Method::POST, "/hooks/", Some(&body)).await;
        assert_eq!(status, 400, "{url}: {answer:#}");
        let reason = answer["target_url"][0].as_str();
        assert!(
            reason.is_some_and(|text| text.len() > 10),
            "{url}: {answer:#}"
        );
    }

    // The neighbours of the forbidden networks are not forbidden: the list is not a blanket.
    let allowed = [
        "http://100.128.0.1/",
        "http://172.32.0.1/",
        "https://[2001:200::1]/",
    ];
    for url in allowed {
        let body = json!({"target_url": url, "event_type": "stock_location.created"});
        let (status, answer) = server.call(Method::POST, "/hooks/", Some(&body)).await;
        assert_eq!(status, 201, "{url}: {answer:#}");
    }
    let (_, list) = server.call(Method::GET, "/hooks/", None).await;
    assert_eq!(list.as_array().unwrap().len(), allowed.len());
}
