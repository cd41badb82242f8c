//! `retry_countdown_config`: the choices of the OMS, byte for byte in what they say.

use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test]
async fn each_choice_is_kept_with_its_defaults() {
    let app = TestApp::new().await;
    for (number, (given, shown, max_attempts)) in [
        (
            json!({"choice": "fixed", "kwargs": {"seconds": 0}}),
            json!({"choice": "fixed", "kwargs": {"seconds": 0}}),
            19,
        ),
        (
            json!({"choice": "linear", "kwargs": {"base": 60}}),
            json!({"choice": "linear", "kwargs": {"base": 60, "limit": null}}),
            19,
        ),
        (
            json!({"choice": "exponential", "kwargs": {"base": 2, "limit": 3600}}),
            json!({"choice": "exponential", "kwargs": {"base": 2, "factor": 1, "limit": 3600}}),
            19,
        ),
        (
            json!({"choice": "random", "kwargs": {"min_value": 0, "max_value": 1}}),
            json!({"choice": "random", "kwargs": {"min_value": 0, "max_value": 1}}),
            19,
        ),
        (
            json!({"choice": "schedule", "kwargs": {"seconds": [1, 2]}}),
            json!({"choice": "schedule", "kwargs": {"seconds": [1, 2]}}),
            3,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("https://example.com/{number}");
        let hook = app
            .hook(json!({"target_url": target, "retry_countdown_config": given}))
            .await;
        assert_eq!(hook["retry_countdown_config"], shown);
        assert_eq!(hook["max_attempts"], max_attempts, "{given}");
    }
}

#[tokio::test]
async fn faults_nest_as_in_the_oms() {
    let app = TestApp::new().await;
    let required = json!(["This field is required."]);
    for (config, expected) in [
        (
            json!({"choice": "random", "kwargs": {"min_value": 5, "max_value": 5}}),
            json!({"kwargs": {"non_field_errors": ["'max_value' must be greater than 'min_value'."]}}),
        ),
        (
            json!({"choice": "x", "kwargs": {}}),
            json!({"choice": ["\"x\" is not a valid choice."]}),
        ),
        (json!({}), json!({"choice": required, "kwargs": required})),
        (
            json!({"choice": "fixed", "kwargs": {}}),
            json!({"kwargs": {"seconds": required}}),
        ),
        (
            json!({"choice": "fixed", "kwargs": {"seconds": -1}}),
            json!({"kwargs": {"seconds": ["Ensure this value is greater than or equal to 0."]}}),
        ),
        (
            json!({"choice": "fixed", "kwargs": {"seconds": "x"}}),
            json!({"kwargs": {"seconds": ["A valid integer is required."]}}),
        ),
        (
            json!({"choice": "exponential", "kwargs": {"base": 1, "factor": 0}}),
            json!({"kwargs": {"factor": ["Ensure this value is greater than or equal to 1."]}}),
        ),
        (
            json!({"choice": "linear", "kwargs": {"base": null, "limit": -1}}),
            json!({"kwargs": {
                "base": ["This field may not be null."],
                "limit": ["Ensure this value is greater than or equal to 0."],
            }}),
        ),
        (
            json!({"choice": "fixed", "kwargs": {"seconds": 1, "secnds": 1}}),
            json!({"kwargs": {"secnds": ["Unknown field. Did you mean \"seconds\"?"]}}),
        ),
        (
            json!({"choice": "schedule", "kwargs": {"seconds": []}}),
            json!({"kwargs": {"seconds": ["This list may not be empty."]}}),
        ),
        (
            json!({"choice": "schedule", "kwargs": {"seconds": [1, "x"]}}),
            json!({"kwargs": {"seconds": {"1": ["A valid integer is required."]}}}),
        ),
        (
            json!("fixed"),
            json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]}),
        ),
        (
            json!({"choice": "fixed", "kwargs": 5}),
            json!({"kwargs": {"non_field_errors":
                ["Invalid data. Expected a dictionary, but got int."]}}),
        ),
    ] {
        let body = json!({
            "target_url": "https://example.com/", "event_type": "*",
            "retry_countdown_config": config,
        });
        let (status, answer) = app.root("POST", "/hooks/", &body).await.parts();
        assert_eq!(status, 400, "{config}");
        assert_eq!(answer["retry_countdown_config"], expected, "{config}");
    }
    assert_eq!(
        app.root("GET", "/hooks/", &Value::Null).await.json(),
        json!([])
    );
}
