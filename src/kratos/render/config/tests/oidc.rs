//! docs/behaviour.md#row-75 and #row-76: the external providers and their claim mappers.

use base64::Engine;

use super::*;

fn provider(change: Value) -> OidcProvider {
    let mut provider = json!({"id": "p", "provider": "google", "client_id": "c", "client_secret": "s"});
    provider.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::from_value(provider).unwrap()
}

fn related(providers: Vec<OidcProvider>) -> Facts {
    Facts { related_providers: providers, ..Facts::sample() }
}

fn list(facts: &Facts) -> Value {
    methods(facts)["oidc"]["config"]["providers"].clone()
}

#[test]
fn weakness_10_and_row_75_everything_that_is_given_is_rendered_as_it_is() {
    let whole = json!({
        "id": "00123",
        "provider": "microsoft",
        "label": "Yes: # \u{1f600}\n- x",
        "client_id": "1_000",
        "client_secret": "2026-11-26",
        "issuer_url": "https://issuer.example.com",
        "auth_url": "https://issuer.example.com/auth",
        "token_url": "https://issuer.example.com/token",
        "mapper_url": "base64://e30=",
        "scope": ["profile", "no"],
        "microsoft_tenant": "0x1f",
        "subject_source": "oid",
        "requested_claims": {"userinfo": {"a": null, "b": {"essential": true, "values": ["1"]}}, "other": 1},
        "organization_id": "~",
        "additional_id_token_audiences": ["null"],
        "claims_source": "userinfo",
        "pkce": "auto",
    });
    assert_eq!(list(&related(vec![provider(whole.clone())])), json!([whole]));
    let apple = json!({
        "id": "a", "provider": "apple", "client_id": "c", "mapper_url": "https://m.example.com/",
        "apple_team_id": "t", "apple_private_key_id": "k", "apple_private_key": "-----BEGIN\nx: #\n-----END",
    });
    let mut given = provider(apple.clone());
    given.client_secret = None;
    assert_eq!(list(&related(vec![given])), json!([apple]));
}

#[test]
fn row_75_relations_come_first_and_an_id_once() {
    let mut facts = related(vec![google("a"), google("b")]);
    facts.stored_providers = vec![google("c"), google("a")];
    let (read, notes) = rendered(&facts);
    let providers = read["selfservice"]["methods"]["oidc"]["config"]["providers"].clone();
    let ids: Vec<&Value> = providers.as_array().unwrap().iter().map(|provider| &provider["id"]).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(notes, ["The OIDC provider \"a\" is not used: another one has the same id"]);
    assert_eq!(KratosConfig::render(&facts).1[0].source, Source::Providers);
}

#[test]
fn row_75_empty_texts_are_none() {
    let empty = json!({
        "label": "", "issuer_url": "", "auth_url": "", "token_url": "", "mapper_url": "", "scope": ["", "a"],
        "microsoft_tenant": "", "subject_source": "", "apple_team_id": "", "apple_private_key_id": "",
        "apple_private_key": "", "requested_claims": null, "organization_id": "", "claims_source": "", "pkce": "",
    });
    let read = list(&related(vec![provider(empty)]))[0].clone();
    let keys: Vec<&String> = read.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "provider", "client_id", "client_secret", "mapper_url", "scope"]);
    assert_eq!(read["scope"], json!(["a"]));
}

#[test]
fn weakness_12_and_row_76_the_mapper_is_the_given_one_or_that_of_the_kind() {
    let mapper = |change: Value| {
        let url = list(&related(vec![provider(change)]))[0]["mapper_url"].as_str().unwrap().to_owned();
        let data = url.strip_prefix("base64://").unwrap().to_owned();
        String::from_utf8(base64::prelude::BASE64_STANDARD.decode(data).unwrap()).unwrap()
    };
    assert_eq!(mapper(json!({"mapper_url": "base64://e30="})), "{}");
    let microsoft = mapper(json!({"provider": "microsoft", "microsoft_tenant": "t"}));
    let default = mapper(json!({}));
    assert_eq!(mapper(json!({"mapper_url": ""})), default);
    assert!(default.contains("has('email') && claims.email_verified"));
    assert!(!microsoft.contains("email_verified"));
    for text in [default, microsoft] {
        assert!(text.contains("has('phone_number') && claims.phone_number_verified"));
    }
}

#[test]
fn a_provider_that_kratos_would_refuse_is_left_out_and_told() {
    let cases = [
        (json!({"id": ""}), "its id cannot stand in a URL"),
        (json!({"provider": "twitch"}), "Kratos knows no such kind of provider"),
        (json!({"client_id": ""}), "client_id is missing"),
        (json!({"client_secret": ""}), "client_secret is missing"),
        (json!({"provider": "microsoft"}), "microsoft_tenant is missing"),
        (json!({"microsoft_tenant": "t"}), "microsoft_tenant does not belong to the kind google"),
        (json!({"apple_team_id": "t"}), "apple_team_id does not belong to the kind google"),
        (
            json!({"provider": "apple", "client_secret": "", "apple_team_id": "t"}),
            "apple_private_key_id is missing",
        ),
        (json!({"provider": "generic"}), "issuer_url is missing"),
        (json!({"issuer_url": "issuer"}), "issuer_url is no URL"),
        (json!({"auth_url": "a b"}), "auth_url is no URL"),
        (json!({"token_url": "//a"}), "token_url is no URL"),
        (json!({"mapper_url": "local claims = 1;"}), "mapper_url is no URL of a Jsonnet document"),
        (json!({"subject_source": "sub"}), "subject_source is none of"),
        (json!({"claims_source": "x"}), "claims_source is none of"),
        (json!({"pkce": "x"}), "pkce is none of auto, never, force"),
        (json!({"requested_claims": []}), "requested_claims are no OpenID Connect claims"),
        (
            json!({"requested_claims": {"id_token": {"a": {"b": 1}}}}),
            "requested_claims are no OpenID Connect claims",
        ),
    ];
    for (change, fault) in cases {
        let (read, notes) = rendered(&related(vec![provider(change), google("good")]));
        let providers = &read["selfservice"]["methods"]["oidc"]["config"]["providers"];
        assert_eq!(providers.as_array().map(Vec::len), Some(1), "{fault}");
        assert!(notes.len() == 1 && notes[0].contains(&format!("is not used: {fault}")), "{notes:?}");
    }
    let (read, _) = rendered(&related(vec![provider(json!({"provider": "twitch"}))]));
    assert!(read["selfservice"].get("methods").is_none() && read["selfservice"].get("flows").is_none());
}

#[test]
fn an_older_kratos_is_not_told_what_only_a_newer_one_knows() {
    let is_used = |version: Option<&str>, change: Value| {
        let mut facts = related(vec![provider(change)]);
        facts.version = version.and_then(WorkloadVersion::parse);
        rendered(&facts).1.is_empty()
    };
    for (change, oldest, middle, newest) in [
        (json!({"provider": "lark"}), true, true, true),
        (json!({"provider": "line"}), false, true, true),
        (json!({"provider": "amazon"}), false, true, true),
        (json!({"provider": "uaepass"}), false, false, true),
        (json!({"subject_source": "me"}), true, true, true),
        (json!({"subject_source": "oid"}), false, true, true),
    ] {
        let used = [None, Some("v1.3.1"), Some("v25.4.0"), Some("v26.2.0")]
            .map(|version| is_used(version, change.clone()));
        assert_eq!(used, [oldest, oldest, middle, newest], "{change}");
    }
}

#[test]
fn nothing_in_debug_output_is_secret() {
    let text =
        format!("{:?}", KratosConfig::render(&related(vec![provider(json!({"client_secret": "hidden"}))])));
    assert!(text.contains("\"p\"") && !text.contains("hidden"), "{text}");
}
