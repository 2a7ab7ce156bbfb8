//! Show 1: whatever the options, the relations and the texts in them, what is rendered reads back as exactly that, and the
//! three releases of Kratos take it, by their own schemas.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::kratos::facts::Secrets;
use crate::kratos::facts::secret::Secret;
use crate::kratos::facts::smtp::{Smtp, SmtpLogin, TransportSecurity};
use crate::kratos::facts::web_hook::{ApiKey, KeyPlace, When};
use crate::kratos::render::environment::environment;
use crate::kratos::render::files;

/// Where Kratos keeps the value of a variable, and how it reads it: as text, as JSON, or not at all.
const VARIABLES: [(&str, &str); 22] = [
    ("CIPHERS_ALGORITHM", "/ciphers/algorithm"),
    ("COURIER_SMTP_CONNECTION_URI", "/courier/smtp/connection_uri"),
    ("COURIER_SMTP_FROM_ADDRESS", "/courier/smtp/from_address"),
    ("COURIER_SMTP_FROM_NAME", "/courier/smtp/from_name"),
    (
        "COURIER_TEMPLATES_RECOVERY_CODE_VALID_EMAIL_BODY_HTML",
        "/courier/templates/recovery_code/valid/email/body/html",
    ),
    ("COURIER_TEMPLATE_OVERRIDE_PATH", "/courier/template_override_path"),
    ("DEV", "/dev json"),
    ("DSN", "/dsn"),
    ("LOG_FORMAT", "/log/format"),
    ("LOG_LEVEL", "/log/level"),
    ("OAUTH2_PROVIDER_URL", "/oauth2_provider/url"),
    ("SECRETS_CIPHER", "/secrets/cipher json"),
    ("SECRETS_COOKIE", "/secrets/cookie json"),
    ("SECRETS_DEFAULT", "/secrets/default json"),
    ("SELFSERVICE_ALLOWED_RETURN_URLS", "/selfservice/allowed_return_urls json"),
    ("SERVE_PUBLIC_BASE_URL", "/serve/public/base_url"),
    ("SERVE_PUBLIC_CORS_ALLOW_CREDENTIALS", "/serve/public/cors/allow_credentials json"),
    ("SERVE_PUBLIC_CORS_ENABLED", "/serve/public/cors/enabled json"),
    ("SESSION_WHOAMI_REQUIRED_AAL", "/session/whoami/required_aal"),
    ("TRACING_PROVIDER", "/tracing/provider"),
    ("TRACING_PROVIDERS_OTLP_INSECURE", "/tracing/providers/otlp/insecure json"),
    ("TRACING_PROVIDERS_OTLP_SERVER_URL", "/tracing/providers/otlp/server_url"),
];
const MORE_VARIABLES: [(&str, &str); 6] = [
    (
        "TRACING_PROVIDERS_OTLP_SAMPLING_SAMPLING_RATIO",
        "/tracing/providers/otlp/sampling/sampling_ratio json",
    ),
    ("HTTPS_PROXY", ""),
    ("HTTP_PROXY", ""),
    ("NO_PROXY", ""),
    ("SSL_CERT_DIR", ""),
    (files::DIGEST_VARIABLE, ""),
];

/// The file with the environment on top, as Kratos sees it.
fn whole(facts: &Facts) -> Value {
    let mut whole = serde_yaml::from_str(&KratosConfig::render(facts).0.to_yaml()).unwrap();
    for (name, text) in environment(facts) {
        let known = VARIABLES.iter().chain(&MORE_VARIABLES).find(|(known, _)| *known == name);
        let (_, place) = known.unwrap_or_else(|| panic!("{name} is not known here"));
        let (path, is_json) = match place.strip_suffix(" json") {
            Some(path) => (path, true),
            None => (*place, false),
        };
        if path.is_empty() {
            continue;
        }
        let mut slot: &mut Value = &mut whole;
        for key in path.split('/').skip(1) {
            if slot.is_null() {
                *slot = json!({});
            }
            slot = slot.as_object_mut().unwrap().entry(key).or_insert(Value::Null);
        }
        *slot = if is_json { serde_json::from_str(&text).unwrap() } else { text.into() };
    }
    whole
}

/// The validators of the three releases, if their schemas are at hand.
#[expect(clippy::disallowed_methods, reason = "names test data that is not shipped")]
fn releases() -> Vec<(&'static str, jsonschema::Validator)> {
    let Some(folder) = std::env::var_os("KRATOS_OPERATOR_SCHEMAS").map(std::path::PathBuf::from) else {
        println!(
            "skipped: KRATOS_OPERATOR_SCHEMAS names no folder with the schemas of Kratos' configuration"
        );
        return vec![];
    };
    let read = |name: String| -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
    };
    let mut tracing = read("ory-tracing-config.json".to_owned());
    tracing.as_object_mut().unwrap().remove("$id");
    let validator = |version: &str| {
        let mut schema = read(format!("kratos-config-{version}.json"));
        assert_eq!(schema["properties"]["tracing"], json!({"$ref": "ory://tracing-config"}));
        schema["properties"]["tracing"] = tracing.clone();
        jsonschema::draft7::options().should_validate_formats(true).build(&schema).unwrap()
    };
    ["v1.3.1", "v25.4.0", "v26.2.0"].map(|version| (version, validator(version))).into()
}

/// A text that is hard to write down, or a harmless one.
fn text() -> impl Strategy<Value = String> {
    let special = [
        "",
        " ",
        "yes",
        "No",
        "null",
        "~",
        "00123",
        "0x1f",
        "1_000",
        "1e3",
        ".inf",
        "2026-11-26",
        "a: b # c",
        "- a",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "{a: b}",
        "[a]",
        "'",
        "\"",
        "%",
        "@",
        "`",
        "\\",
        "a\nb",
        "\r\n",
        "\t",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{fffe}",
        "\u{1f600}",
        "{{ .X }}",
        "***",
    ];
    prop_oneof![
        3 => "[a-z]{1,8}",
        3 => proptest::sample::select(special.to_vec()).prop_map(str::to_owned),
        3 => any::<String>(),
        1 => any::<char>().prop_map(|character| character.to_string().repeat(10_240 / character.len_utf8())),
    ]
}

/// The address of something: mostly a good one.
fn address() -> impl Strategy<Value = String> {
    let known = [
        "https://h.example.com/x?y=z",
        "http://[::1]:80/",
        "/ui/page",
        "base64://e30=",
        "file:///x",
        "http://a b",
    ];
    prop_oneof![6 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => text()]
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![9 => proptest::sample::select(words).prop_map(str::to_owned), 1 => text()]
}

fn secret() -> impl Strategy<Value = Secret> {
    text().prop_map(Secret)
}

prop_compose! {
    fn provider()(
        (id, client_id, client_secret) in (text(), text(), option::weighted(0.9, secret())),
        provider in word(&["google", "generic", "apple", "microsoft", "line", "uaepass", "x", "twitch"]),
        (label, organization_id) in (option::of(text()), option::of(text())),
        (issuer_url, auth_url, token_url, mapper_url) in
            (option::of(address()), option::of(address()), option::of(address()), option::of(address())),
        (scope, additional_id_token_audiences) in (vec(text(), 0..3), vec(text(), 0..2)),
        (microsoft_tenant, apple_team_id, apple_private_key_id, apple_private_key) in
            (option::weighted(0.2, text()), option::weighted(0.2, text()), option::weighted(0.2, text()), option::weighted(0.2, secret())),
        (subject_source, claims_source, pkce) in (
            option::of(word(&["userinfo", "me", "oid", ""])),
            option::of(word(&["id_token", "userinfo"])),
            option::of(word(&["auto", "never", "force"])),
        ),
        claim in option::of((text(), any::<bool>())),
    ) -> OidcProvider {
        OidcProvider {
            id, client_id, client_secret, provider, label, organization_id, issuer_url, auth_url, token_url, mapper_url, scope,
            additional_id_token_audiences, microsoft_tenant, apple_team_id, apple_private_key_id, apple_private_key,
            subject_source, claims_source, pkce,
            requested_claims: claim.map(|(name, essential)| json!({"userinfo": {name: {"essential": essential}}})),
        }
    }
}

prop_compose! {
    fn web_hook()(
        (url, body, method) in (address(), address(), word(&["POST", "GET"])),
        (is_before, weight, response_ignore, response_parse) in
            (proptest::bool::weighted(0.2), -1..2_i64, any::<bool>(), proptest::bool::weighted(0.3)),
        methods in vec(word(&["password", "oidc", "code", "webauthn", "totp", "lookup_secret", "passkey"]), 0..3),
        auth in option::of((word(&["Authorization", "X-Key"]), secret(), any::<bool>())),
    ) -> WebHook {
        WebHook {
            url, body, method, methods, weight, response_ignore, response_parse,
            when: if is_before { When::Before } else { When::After },
            auth: auth.map(|(name, value, is_header)| ApiKey {
                name, value, place: if is_header { KeyPlace::Header } else { KeyPlace::Cookie },
            }),
        }
    }
}

prop_compose! {
    fn options()(
        switches in vec(any::<bool>(), 6),
        (sender_name, template, is_default) in (text(), text(), any::<bool>()),
        schemas in option::of(vec((text(), text()), 0..3)),
        (level, email) in (word(&["warn", "info", "trace"]), word(&["a@b.c", "a+b@example.com"])),
    ) -> Value {
        let default = schemas.iter().flatten().map(|(id, _): &(String, String)| id.trim().to_owned()).find(|_| is_default);
        let schemas = schemas.map(|pairs| {
            let pair = |(id, name): (String, String)| (id, schema(&name));
            Value::Object(pairs.into_iter().map(pair).collect()).to_string()
        });
        json!({
            "dev": switches[0], "enable_local_idp": switches[1], "enforce_mfa": switches[2], "enable_verification": switches[3],
            "enable_passwordless_login_method": switches[4], "enable_oidc_webauthn_sequencing": switches[5],
            "sender_name": sender_name, "recovery_email_template": template, "log_level": level, "sender_email": email,
            "identity_schemas": schemas, "default_identity_schema_id": default,
        })
    }
}

prop_compose! {
    fn any_facts()(
        config in options(),
        version in proptest::sample::select(vec![None, Some("v1.3.1"), Some("v25.4.0"), Some("v26.2.0")]),
        pages in vec(option::of(address()), 8),
        (is_public, is_hydra, is_traced, is_ciphering) in any::<(bool, bool, bool, bool)>(),
        smtp in option::of((word(&["mail.example.com", "::1"]), any::<u16>(), any::<bool>(), option::of((text(), secret())))),
        (registration_hooks, login_hooks) in (vec(web_hook(), 0..4), vec(web_hook(), 0..4)),
        (related_providers, stored_providers) in (vec(provider(), 0..3), vec(provider(), 0..3)),
        stored in option::of((text(), text())),
        (verification_template, certificates) in (option::of(text()), vec(text(), 0..2)),
    ) -> Option<Facts> {
        let config = config.as_object().unwrap().clone().into_iter().collect();
        let address = |is_there: bool, text: &str| is_there.then(|| reqwest::Url::parse(text).unwrap());
        let mut pages = pages.into_iter();
        let mut page = || pages.next().flatten();
        Some(Facts {
            options: Options::parse("kratos", &config, None).ok()?,
            version: version.and_then(WorkloadVersion::parse),
            secrets: Secrets {
                cipher: if is_ciphering { vec![Secret("c".repeat(32))] } else { vec![] },
                ..Facts::sample().secrets
            },
            login_ui: LoginUi {
                error_url: page(), login_url: page(), recovery_url: page(), registration_url: page(), settings_url: page(),
                webauthn_settings_url: page(), account_linking_settings_url: page(), verification_url: page(),
                ..LoginUi::default()
            },
            public_url: is_public.then(|| PublicUrl::parse("https://id.example.com:8443").unwrap()),
            hydra_admin_url: address(is_hydra, "http://hydra:4445"),
            otlp: address(is_traced, "http://tempo:4318"),
            smtp: smtp.map(|(host, port, is_tls, login)| Smtp {
                host, port, skip_ssl_verify: is_tls,
                security: if is_tls { TransportSecurity::Tls } else { TransportSecurity::StartTls },
                login: login.map(|(user, password)| SmtpLogin { user, password }),
            }),
            stored_schemas: stored.map(|(id, name)| {
                SchemaSet { default_id: id.clone(), schemas: [(id, schema(&name))].into() }
            }),
            registration_hooks, login_hooks, related_providers, stored_providers, verification_template, certificates,
            ..Facts::sample()
        })
    }
}

/// Every text of a document.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(map) => map.values().for_each(|item| texts(item, found)),
        _ => {}
    }
}

/// What came in stands in the file as it came in, wherever it was not left out.
fn same_values(facts: &Facts, read: &Value, notes: &[Note]) {
    let rendered =
        read["selfservice"]["methods"]["oidc"]["config"]["providers"].as_array().cloned().unwrap_or_default();
    let given: Vec<&OidcProvider> = facts.related_providers.iter().chain(&facts.stored_providers).collect();
    let refused = notes.iter().filter(|note| note.text.starts_with("The OIDC provider")).count();
    assert_eq!(rendered.len() + refused, given.len());
    for provider in &rendered {
        let is_same = |given: &&&OidcProvider| {
            let same = |key: &str, text: &Option<String>| {
                provider.get(key).and_then(Value::as_str) == text.as_deref().filter(|text| !text.is_empty())
            };
            let secret = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.0.clone());
            given.id == provider["id"]
                && given.client_id == provider["client_id"]
                && given.provider == provider["provider"]
                && same("client_secret", &secret(&given.client_secret))
                && same("apple_private_key", &secret(&given.apple_private_key))
                && same("label", &given.label)
                && same("issuer_url", &given.issuer_url)
                && same("organization_id", &given.organization_id)
                && same("microsoft_tenant", &given.microsoft_tenant)
                && same("subject_source", &given.subject_source)
        };
        assert!(given.iter().any(|candidate| is_same(&candidate)), "{provider}");
    }
    let mut all = Vec::new();
    texts(read, &mut all);
    for hook in facts.login_hooks.iter().chain(&facts.registration_hooks) {
        let is_rendered =
            read["selfservice"]["flows"].to_string().contains(&Value::from(hook.url.as_str()).to_string());
        assert!(!is_rendered || all.contains(&hook.url.as_str()));
    }
    if let Some(set) = facts.options.schema_set() {
        use base64::Engine;
        assert_eq!(read["identity"]["default_schema_id"], set.default_id);
        for entry in read["identity"]["schemas"].as_array().unwrap() {
            let data = entry["url"].as_str().unwrap().strip_prefix("base64://").unwrap();
            let text = base64::prelude::BASE64_STANDARD.decode(data).unwrap();
            let schema: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(set.schemas[entry["id"].as_str().unwrap()], schema);
        }
    }
    let environment = environment(facts);
    assert_eq!(environment["COURIER_SMTP_FROM_NAME"], facts.options.sender_name);
    let uri = environment.get("COURIER_SMTP_CONNECTION_URI").and_then(|uri| Smtp::parse(uri));
    let is_whole = |login: &SmtpLogin| !login.user.is_empty() && !login.password.0.is_empty();
    let given = facts.smtp.as_ref().filter(|smtp| smtp.login.as_ref().is_none_or(is_whole));
    if let (Some(read), Some(given)) = (uri, given) {
        assert_eq!((&read.login, read.port), (&given.login, given.port));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn whatever_comes_in_kratos_takes_it(facts in any_facts()) {
        thread_local!(static RELEASES: Vec<(&'static str, jsonschema::Validator)> = releases());
        let Some(facts) = facts else { return Ok(()) };
        let (config, notes) = KratosConfig::render(&facts);
        let read: Value = serde_yaml::from_str(&config.to_yaml()).unwrap();
        prop_assert_eq!(&read, &serde_json::to_value(&config).unwrap());
        same_values(&facts, &read, &notes);
        let whole = whole(&facts);
        let version = facts.version.as_ref().map(ToString::to_string);
        RELEASES.with(|releases| {
            for (release, validator) in releases {
                // What a release takes, each later one takes too.
                if version.as_deref().is_none_or(|version| WorkloadVersion::parse(version) <= WorkloadVersion::parse(release)) {
                    let faults: Vec<String> = validator
                        .iter_errors(&whole)
                        .map(|fault| format!("{}: {:.300}", fault.instance_path(), fault.to_string()))
                        .collect();
                    assert!(faults.is_empty(), "{release} refuses it: {faults:#?}");
                }
            }
        });
    }
}
