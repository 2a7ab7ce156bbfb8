//! Web hooks (docs/behaviour.md#row-62 to #row-67): which hooks are called before and after which method, in which
//! order, and how.

use super::*;

fn urls(section: &Value) -> Vec<String> {
    let name = |hook: &Value| match hook["config"]["url"].as_str() {
        Some(url) => url.trim_start_matches("https://").to_owned(),
        None => hook["hook"].as_str().unwrap().to_owned(),
    };
    section["hooks"].as_array().map_or_else(Vec::new, |hooks| hooks.iter().map(name).collect())
}

fn named(url: &str, change: Value) -> WebHook {
    WebHook { url: format!("https://{url}"), ..hook(change) }
}

fn registered(facts: &Facts) -> Value {
    flows(facts)["registration"]["after"].clone()
}

#[test]
fn row_62_registration_ends_with_the_hooks_and_a_session() {
    let mut facts = with_ui(json!({"enable_verification": true}));
    facts.registration_hooks = vec![
        named("oidc", json!({"methods": ["oidc"]})),
        named("all", json!({})),
        named("code", json!({"methods": ["code", "password"]})),
    ];
    let after = registered(&facts);
    assert_eq!(urls(&after["password"]), ["all", "code", "show_verification_ui", "session"]);
    assert_eq!(urls(&after["code"]), ["all", "code", "show_verification_ui", "session"]);
    assert_eq!(urls(&after["oidc"]), ["all", "oidc", "session"]);
    assert!(after.get("webauthn").is_none() && after.get("passkey").is_none());
    assert!(after.get("hooks").is_none(), "those of a method would hide them (docs/behaviour.md#row-65)");

    facts.options.enable_verification = false;
    facts.options.enable_passwordless_login_method = true;
    facts.public_url = PublicUrl::parse("https://id.example.com").ok();
    let after = registered(&facts);
    assert_eq!(urls(&after["webauthn"]), ["all", "session"]);
    assert_eq!(urls(&after["password"]), ["all", "code", "session"]);

    facts.registration_hooks.clear();
    let after = registered(&facts);
    assert_eq!(urls(&after["password"]), ["session"]);
    assert!(after.get("oidc").is_none());
    facts.related_providers = vec![google("g")];
    assert_eq!(urls(&registered(&facts)["oidc"]), ["session"]);

    facts.options.enable_local_idp = false;
    assert!(registered(&facts).get("password").is_none() && registered(&facts).get("code").is_none());
    facts.options.enable_passwordless_login_method = false;
    facts.options.enable_oidc_webauthn_sequencing = true;
    assert_eq!(urls(&registered(&facts)["code"]), ["session"]);
}

#[test]
fn row_63_before_a_flow() {
    let mut facts = with_ui(json!({}));
    facts.registration_hooks = vec![named("r", json!({"when": "before"}))];
    facts.login_hooks = vec![named("l", json!({"when": "before"}))];
    let read = flows(&facts);
    assert_eq!(urls(&read["registration"]["before"]), ["r"]);
    assert_eq!(urls(&read["login"]["before"]), ["l"]);
    assert!(read["login"].get("after").is_none());

    facts.registration_hooks = vec![named("r", json!({"when": "before", "methods": ["oidc"]}))];
    let (read, notes) = rendered(&facts);
    assert!(read["selfservice"]["flows"]["registration"].get("before").is_none());
    assert_eq!(
        notes,
        [
            "The web hook \"https://r\" is not called: Kratos knows no hook that is called before one method only"
        ]
    );
}

#[test]
fn row_64_login_calls_hooks_after_the_active_methods() {
    let sections = |facts: &Facts| {
        let after = flows(facts)["login"]["after"].clone();
        after.as_object().map_or_else(Vec::new, |after| after.keys().cloned().collect::<Vec<_>>())
    };
    let mut facts = with_ui(json!({}));
    assert!(sections(&facts).is_empty());
    facts.login_hooks = vec![named("all", json!({}))];
    assert_eq!(sections(&facts), ["password", "code", "totp", "lookup_secret"]);
    facts.related_providers = vec![google("g")];
    facts.options.enforce_mfa = false;
    assert_eq!(sections(&facts), ["password", "oidc", "code"]);
    facts.public_url = PublicUrl::parse("https://id.example.com").ok();
    facts.options.enable_oidc_webauthn_sequencing = true;
    facts.options.enable_local_idp = false;
    assert_eq!(sections(&facts), ["oidc", "webauthn", "lookup_secret"]);
    facts.login_hooks = vec![named("one", json!({"methods": ["oidc"]}))];
    assert_eq!(sections(&facts), ["oidc"]);
    facts.login_hooks = vec![named("one", json!({"methods": ["totp"]}))];
    assert!(sections(&facts).is_empty());
    let alone = Facts { login_hooks: vec![named("all", json!({}))], ..Facts::sample() };
    assert_eq!(sections(&alone), ["password", "code", "totp", "lookup_secret"]);
    assert!(flows(&alone)["login"].get("ui_url").is_none() && flows(&alone)["login"].get("style").is_none());
}

#[test]
fn row_66_the_lighter_comes_first_whatever_its_methods() {
    let mut facts = with_ui(json!({}));
    facts.login_hooks = vec![
        named("c", json!({"weight": 5})),
        named("d", json!({"weight": 9, "methods": ["password"]})),
        named("b", json!({"weight": 5})),
        named("a", json!({"weight": -1, "methods": ["password"]})),
        named("e", json!({"weight": 10})),
    ];
    assert_eq!(urls(&flows(&facts)["login"]["after"]["password"]), ["a", "c", "b", "d", "e"]);
    assert_eq!(urls(&flows(&facts)["login"]["after"]["code"]), ["c", "b", "e"]);
}

#[test]
fn row_67_a_web_hook_says_all_of_itself() {
    let key = json!({"name": "Authorization", "value": "Bearer: #1", "in": "cookie"});
    let mut facts = with_ui(json!({}));
    facts.login_hooks = vec![hook(json!({"response_parse": true, "auth": key}))];
    let first = |facts: &Facts| flows(facts)["login"]["after"]["password"]["hooks"][0].clone();
    let expected = json!({
        "hook": "web_hook",
        "config": {
            "url": "https://hook.example.com/",
            "body": "base64://e30=",
            "method": "POST",
            "emit_analytics_event": false,
            "response": {"ignore": false, "parse": true},
            "auth": {"type": "api_key", "config": {"name": "Authorization", "value": "Bearer: #1", "in": "cookie"}},
        },
    });
    assert_eq!(first(&facts), expected);
    facts.login_hooks = vec![hook(json!({"response_ignore": true}))];
    facts.otlp = reqwest::Url::parse("http://tempo:4318").ok();
    let config = first(&facts)["config"].clone();
    assert_eq!(
        (&config["emit_analytics_event"], &config["response"]["ignore"]),
        (&json!(true), &json!(true))
    );
    assert!(config.get("auth").is_none());
    facts.login_hooks = vec![hook(json!({"method": "GET", "body": ""}))];
    assert!(first(&facts)["config"].get("body").is_none());
}

#[test]
fn what_kratos_would_refuse_is_left_out_and_told() {
    let auth = |name: &str, value: &str| json!({"auth": {"name": name, "value": value, "in": "header"}});
    let cases = [
        (json!({"url": "hook"}), "its url is no http(s):// URL"),
        (json!({"method": "PO ST"}), "its method is no HTTP method"),
        (json!({"body": "function(ctx) {}"}), "its body is no base64://"),
        (
            json!({"response_ignore": true, "response_parse": true}),
            "it asks Kratos to ignore the response and to parse it",
        ),
        (auth("a b", "v"), "the name of its API key is no name of a header"),
        (auth("a", ""), "its API key is empty or not on one line"),
        (auth("a", "v\n"), "its API key is empty or not on one line"),
        (
            json!({"methods": ["passkey", "sms"]}),
            "none of its methods is one of password, oidc, code, webauthn",
        ),
    ];
    for (change, fault) in cases {
        let mut facts = with_ui(json!({}));
        facts.registration_hooks = vec![hook(change), named("good", json!({}))];
        let (read, notes) = rendered(&facts);
        assert_eq!(
            urls(&read["selfservice"]["flows"]["registration"]["after"]["password"]),
            ["good", "session"]
        );
        assert!(notes.len() == 1 && notes[0].contains(&format!("is not called: {fault}")), "{notes:?}");
    }
    let secret = hook(json!({"url": "ftp://u:hidden@h/hidden?token=hidden"}));
    let notes = rendered(&Facts { login_hooks: vec![secret], ..Facts::sample() }).1;
    assert!(notes[0].contains("\"ftp://h\"") && !notes[0].contains("hidden"), "{notes:?}");
}

#[test]
fn two_equal_hooks_are_one() {
    let mut facts = with_ui(json!({}));
    facts.login_hooks = vec![named("a", json!({})), named("a", json!({"weight": 7})), named("b", json!({}))];
    assert_eq!(urls(&flows(&facts)["login"]["after"]["password"]), ["a", "b"]);
}
