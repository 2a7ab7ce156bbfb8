use serde_json::{Value, json};

use super::*;
use crate::integrations::sample::relation;
use crate::juju::RelationId;
use crate::kratos::Secret;

fn read(providers: &Value) -> Remote<Sifted<Vec<OidcProvider>>> {
    super::providers(&relation("kratos-external-idp:7", &[(PROVIDERS, &providers.to_string())]), None)
}

fn used(item: Value) -> OidcProvider {
    read(&json!([item])).ready().unwrap().used.remove(0)
}

fn reason(item: Value) -> String {
    match read(&json!([item])) {
        Remote::Invalid(reason) => reason,
        other => panic!("{other:?}"),
    }
}

/// The sample of a kind with one field replaced; null removes it.
fn with(kind: &str, key: &str, value: Value) -> Value {
    let mut item = json!({
        "provider": kind, "client_id": "c", "client_secret": "sesame", "issuer_url": "https://i.example.com",
        "microsoft_tenant": "t", "apple_team_id": "t", "apple_private_key_id": "k", "apple_private_key": "sesame",
    });
    item[key] = value;
    item
}

#[test]
fn an_item_of_the_newer_generation_is_read() {
    let item = json!({
        "provider": "microsoft", "client_id": "c", "scope": "profile email address phone", "id": "microsoft_x",
        "label": "Work", "jsonnet_mapper": null, "mapper_url": null, "client_secret": "s", "microsoft_tenant": "T",
    });
    let read = used(item);
    assert_eq!(
        (read.id.as_str(), read.provider.as_str(), read.label.as_deref()),
        ("microsoft_x", "microsoft", Some("Work"))
    );
    assert_eq!(read.scope, ["profile", "email", "address", "phone"]);
    assert_eq!(
        (read.microsoft_tenant.as_deref(), read.client_secret),
        (Some("T"), Some(Secret("s".to_owned())))
    );
    assert_eq!((read.mapper_url, read.issuer_url), (None, None));
}

#[test]
fn weakness_06_a_bad_item_is_left_out_and_the_others_are_used() {
    let good = with("google", "id", json!("g"));
    let read = read(&json!([
        7,
        with("google", "client_secret", Value::Null),
        good,
        with("nonsense", "id", json!("n"))
    ]));
    let read = read.ready().unwrap();
    assert_eq!(read.used.iter().map(|provider| provider.id.as_str()).collect::<Vec<_>>(), ["g"]);
    assert_eq!(
        read.refused,
        [
            "provider 1: it is no JSON object",
            "provider 2: client_secret is missing",
            "provider 4: Kratos knows no such kind of provider"
        ]
    );
    for (text, is_absent) in
        [("", true), ("[]", true), ("{", false), ("{}", false), ("null", false), ("[null]", false)]
    {
        let remote = providers(&relation("kratos-external-idp:7", &[(PROVIDERS, text)]), None);
        assert_eq!(
            (remote == Remote::Absent, matches!(remote, Remote::Invalid(_))),
            (is_absent, !is_absent),
            "{text}"
        );
    }
}

#[test]
fn each_kind_has_its_required_fields() {
    for (kind, key) in [
        ("google", "client_id"),
        ("google", "client_secret"),
        ("generic", "issuer_url"),
        ("auth0", "issuer_url"),
        ("generic", "client_secret"),
        ("microsoft", "microsoft_tenant"),
        ("apple", "apple_team_id"),
        ("apple", "apple_private_key_id"),
        ("apple", "apple_private_key"),
        ("google", "provider"),
    ] {
        assert_eq!(reason(with(kind, key, Value::Null)), format!("provider 1: {key} is missing"), "{kind}");
        assert_eq!(reason(with(kind, key, json!(" "))), format!("provider 1: {key} is missing"), "{kind}");
        assert_eq!(reason(with(kind, key, json!(7))), format!("provider 1: {key} is no text"), "{kind}");
    }
    for (key, value, expected) in [
        ("issuer_url", json!("i.example.com"), "issuer_url is no URL"),
        ("scope", json!(7), "scope is neither a text nor a list of texts"),
        ("scope", json!(["a", 7]), "scope is neither a text nor a list of texts"),
        (
            "secret_backend",
            json!("vault"),
            "its secret is not in the relation: secret_backend has to be relation",
        ),
        ("id", json!("a/b"), "its id cannot stand in a URL"),
    ] {
        assert_eq!(reason(with("generic", key, value)), format!("provider 1: {expected}"));
    }
}

#[test]
fn weakness_07_the_names_of_the_older_generation_are_read_too() {
    let microsoft = used(json!({
        "provider": "microsoft", "client_id": "c", "client_secret": "s", "tenant_id": "T", "provider_id": "m",
        "secret_backend": "relation",
    }));
    assert_eq!((microsoft.id.as_str(), microsoft.microsoft_tenant.as_deref()), ("m", Some("T")));
    let apple = used(json!({
        "provider": "apple", "client_id": "c", "client_secret": "unused", "team_id": "T", "private_key_id": "K",
        "private_key": "-----BEGIN\n", "tenant_id": "unused",
    }));
    assert_eq!(
        (apple.apple_team_id.as_deref(), apple.apple_private_key_id.as_deref()),
        (Some("T"), Some("K"))
    );
    assert_eq!(apple.apple_private_key, Some(Secret("-----BEGIN\n".to_owned())));
    assert_eq!((apple.client_secret, apple.microsoft_tenant), (None, None));
    let alias = used(with("microsoft", "microsoft_tenant_id", json!("A")));
    assert_eq!(alias.microsoft_tenant.as_deref(), Some("t"), "the newest name first");
}

#[test]
fn weakness_08_every_kind_of_kratos_is_taken_and_a_misspelt_one_understood() {
    let kind = |given: &str| used(with(given, "id", json!("x"))).provider;
    assert_eq!((kind("yander").as_str(), kind("yandex").as_str()), ("yandex", "yandex"));
    for given in
        ["salesforce", "patreon", "line", "linkedin_v2", "lark", "x", "amazon", "uaepass", "github-app"]
    {
        assert_eq!(kind(given), given);
    }
    assert_eq!(kind("githubapp"), "github-app");
    assert_eq!(reason(with("twitch", "id", json!("x"))), "provider 1: Kratos knows no such kind of provider");
}

#[test]
fn default_ids_are_those_of_both_generations() {
    // printf %s TEXT | sha1sum
    for (kind, id) in [
        ("google", "google_84a516841ba77a5b4648de2cd0dfcb30ea46dbb4"),
        ("yander", "yander_84a516841ba77a5b4648de2cd0dfcb30ea46dbb4"),
        ("generic", "generic_2bc7e05fe1ca84b13ad5b80a21318277d32d5d8f"),
        ("microsoft", "microsoft_75e4c1ce919ca4246ccdfcf0f90143995bdcf09e"),
    ] {
        assert_eq!(used(with(kind, "id", Value::Null)).id, id);
    }
}

#[test]
fn scope_and_mapper_are_read_in_every_form() {
    let scope = |kind: &str, value: Value| used(with(kind, "scope", value)).scope;
    assert_eq!(scope("google", json!("a  b")), ["a", "b"]);
    assert_eq!(scope("google", json!(["a", "b"])), ["a", "b"]);
    for empty in [Value::Null, json!(""), json!([])] {
        assert_eq!(scope("google", empty), ["profile", "email", "address", "phone"]);
    }
    assert_eq!(scope("github", Value::Null), ["user:email"]);
    assert!(scope("salesforce", Value::Null).is_empty());
    let mapper = |key: &str, text: &str| used(with("google", key, json!(text))).mapper_url;
    assert_eq!(mapper("jsonnet_mapper", "{}").as_deref(), Some("base64://e30="));
    assert_eq!(mapper("jsonnet_mapper", "base64://e30=").as_deref(), Some("base64://e30="));
    assert_eq!(mapper("mapper_url", "https://h/m").as_deref(), Some("https://h/m"));
    assert_eq!(mapper("mapper_url", ""), None);
}

#[test]
fn weakness_09_every_provider_of_a_relation_is_answered() {
    let read = read(&json!([with("google", "id", json!("g_1")), with("slack", "id", json!("s 2"))]));
    let providers = read.ready().unwrap().used;
    let url = PublicUrl::parse("https://id.example.com:8443").unwrap();
    let text = concat!(
        r#"[{"provider_id":"g_1","redirect_uri":"https://id.example.com:8443/self-service/methods/oidc/callback/g_1"},"#,
        r#"{"provider_id":"s 2","redirect_uri":"https://id.example.com:8443/self-service/methods/oidc/callback/s%202"}]"#
    );
    assert_eq!(redirect_uris(providers.iter(), Some(&url))[PROVIDERS].as_deref(), Some(text));
    assert_eq!(
        redirect_uris(providers.iter(), None)[PROVIDERS],
        None,
        "without an address there is nothing to say"
    );
    assert_eq!(redirect_uris([].iter(), Some(&url))[PROVIDERS], None, "what was said before is taken back");
}

#[test]
fn the_older_relation_wins_where_two_have_the_same_id() {
    let id = |number: u32| format!("kratos-external-idp:{number}").parse::<RelationId>().unwrap();
    let provider = |kind: &str| used(with(kind, "id", json!("same")));
    let given = vec![(id(3), vec![provider("google")]), (id(11), vec![provider("slack")])];
    let (joined, conflicts) = join(given);
    assert_eq!(joined, [(id(3), provider("google"))]);
    let text = "a provider has the id of a google provider of kratos-external-idp:3, which is used";
    assert_eq!(conflicts, [(id(11), text.to_owned())]);
}
