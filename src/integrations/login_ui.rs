//! `ui-endpoint-info` (interface login_ui_endpoints): the pages to which Kratos sends browsers.
//!
//! Pages may come from several user interfaces. A page that two of them claim is taken from the relation with the
//! lowest number, and the other is reported (docs/behaviour.md#weakness-71). URLs may be relative: an interface without
//! ingress sends those.

use std::collections::BTreeMap;

use super::endpoint::Endpoint;
use super::related::{Given, ReadContext, Related};
use super::relation::{ByRelation, Relation, Remote, Sifted};
use crate::kratos::facts::login_ui::{LoginUi, PAGES};
use crate::kratos::facts::uri::is_page;

/// Only application databags count; we write none.
pub const ENDPOINT: Endpoint = Endpoint { read, ..Endpoint::new("ui-endpoint-info") };

fn read(related: &mut Related, given: &mut Given<'_>, _: ReadContext<'_>) {
    let (login_ui, conflicts) = join(given.sifted(pages));
    given.conflicts(conflicts);
    related.login_ui = login_ui;
}

/// The pages of one user interface. Keys that are no page are ignored: the interface grows.
pub fn pages(relation: &Relation) -> Remote<Sifted<LoginUi>> {
    let mut pages = Sifted { used: LoginUi::default(), refused: vec![] };
    for (key, page) in PAGES {
        match relation.value(key).map(str::trim) {
            None => {}
            Some(url) if is_page(url) => *page(&mut pages.used) = Some(url.to_owned()),
            Some(_) => pages.refused.push(format!("{key} is no URL and no path")),
        }
    }
    pages.into_remote()
}

/// Joins the pages of several relations, which come in the order of their numbers. The second list says which pages
/// are not used.
pub fn join(interfaces: ByRelation<LoginUi>) -> (LoginUi, ByRelation<String>) {
    let mut joined = LoginUi::default();
    let mut givers = BTreeMap::new();
    let mut conflicts = Vec::new();
    for (id, mut interface) in interfaces {
        for (key, page) in PAGES {
            let Some(url) = page(&mut interface).take() else { continue };
            match page(&mut joined) {
                Some(taken) if *taken != url => {
                    conflicts.push((
                        id.clone(),
                        format!("{key} is already given by {}, which is used", givers[key]),
                    ));
                }
                Some(_) => {}
                vacant => {
                    *vacant = Some(url);
                    givers.insert(key, id.clone());
                }
            }
        }
    }
    (joined, conflicts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::sample::relation;
    use crate::juju::RelationId;

    fn id(number: u32) -> RelationId {
        format!("ui-endpoint-info:{number}").parse().unwrap()
    }

    #[test]
    fn every_page_is_read_and_may_be_relative() {
        let urls: Vec<_> = PAGES.iter().map(|(key, _)| (*key, format!("/ui/{key}"))).collect();
        let pairs: Vec<_> =
            urls.iter().map(|(key, url)| (*key, url.as_str())).chain([("index_url", "x y")]).collect();
        let mut read = pages(&relation("ui-endpoint-info:4", &pairs)).ready().unwrap();
        assert!(read.refused.is_empty());
        for (key, page) in PAGES {
            assert_eq!(page(&mut read.used).take(), Some(format!("/ui/{key}")));
        }
        assert_eq!(
            pages(&relation("ui-endpoint-info:4", &[("index_url", "/"), ("login_url", "")])),
            Remote::Absent
        );
    }

    #[test]
    fn a_url_that_kratos_would_refuse_is_left_out() {
        let pairs = [("login_url", "https://id.example.com/ui/login"), ("error_url", "http://a b")];
        let read = pages(&relation("ui-endpoint-info:4", &pairs)).ready().unwrap();
        assert_eq!(read.used.login_url.as_deref(), Some("https://id.example.com/ui/login"));
        assert_eq!(
            (read.used.error_url, read.refused),
            (None, vec!["error_url is no URL and no path".to_owned()])
        );
        let wrong = pages(&relation("ui-endpoint-info:4", &pairs[1..]));
        assert_eq!(wrong, Remote::Invalid("error_url is no URL and no path".to_owned()));
    }

    #[test]
    fn weakness_71_of_two_user_interfaces_the_older_relation_wins() {
        let page = |url: &str| Some(url.to_owned());
        let older = LoginUi { login_url: page("/a"), error_url: page("/e"), ..LoginUi::default() };
        let newer = LoginUi {
            login_url: page("/b"),
            error_url: page("/e"),
            settings_url: page("/s"),
            ..LoginUi::default()
        };
        let (joined, conflicts) = join(vec![(id(3), older.clone()), (id(11), newer)]);
        assert_eq!(joined, LoginUi { settings_url: page("/s"), ..older });
        let text = "login_url is already given by ui-endpoint-info:3, which is used";
        assert_eq!(conflicts, [(id(11), text.to_owned())]);
    }
}
