//! Traefik's dynamic configuration, built from types; its maps are sorted, so that the same content is the same text.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::integrations::publish::RouteTarget;
use crate::kratos::facts::public_url::PublicUrl;

/// The configuration of one application, `{}` while nothing is routed.
#[derive(Debug, Serialize)]
pub struct Dynamic {
    #[serde(skip_serializing_if = "Http::is_empty")]
    http: Http,
    /// `<model>-<application>`: part of every name, stable over the life of the application.
    #[serde(skip)]
    id: String,
    #[serde(skip)]
    cluster_host: String,
    #[serde(skip)]
    host: Option<String>,
}

/// Which paths a router takes.
pub enum Route<'a> {
    Exact(&'a str),
    Below(&'a str),
}

#[derive(Debug, Default, Serialize)]
struct Http {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    middlewares: BTreeMap<String, Middleware>,
    routers: BTreeMap<String, Router>,
    services: BTreeMap<String, Service>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Middleware {
    replace_path: ReplacePath,
}

#[derive(Debug, Serialize)]
struct ReplacePath {
    path: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Router {
    entry_points: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    middlewares: Vec<String>,
    rule: String,
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
}

#[derive(Clone, Debug, Serialize)]
struct Tls {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    domains: Vec<Domain>,
}

#[derive(Clone, Debug, Serialize)]
struct Domain {
    main: String,
    sans: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    load_balancer: LoadBalancer,
}

#[derive(Debug, Serialize)]
struct LoadBalancer {
    servers: Vec<Server>,
}

#[derive(Debug, Serialize)]
struct Server {
    url: String,
}

impl Http {
    fn is_empty(&self) -> bool {
        self.routers.is_empty()
    }
}

impl Dynamic {
    pub fn new(backend: RouteTarget<'_>, address: Option<&PublicUrl>) -> Self {
        let RouteTarget { model, application } = backend;
        Self {
            http: Http::default(),
            id: format!("{model}-{application}"),
            cluster_host: backend.host(),
            host: address.map(|address| address.host().to_owned()),
        }
    }

    /// Adds a router to one of the APIs and, where the host is known, its twin for TLS.
    pub fn route(&mut self, api: &str, name: &str, route: Route<'_>) {
        let path = match route {
            Route::Exact(path) => format!("Path(`{path}`)"),
            Route::Below(path) => format!("PathPrefix(`{path}`)"),
        };
        let rule = match &self.host {
            Some(host) => format!("Host(`{host}`) && {path}"),
            None => path,
        };
        let router = Router {
            entry_points: vec!["web"],
            middlewares: vec![],
            rule,
            service: self.service_name(api),
            tls: None,
        };
        let name = self.router_name(api, name);
        if let Some(host) = &self.host {
            let tls = Some(Tls { domains: domains(host) });
            let twin = Router { entry_points: vec!["websecure"], tls, ..router.clone() };
            self.http.routers.insert(format!("{name}-tls"), twin);
        }
        self.http.routers.insert(name, router);
    }

    /// Lets a router and its twin ask for another path than they were asked for.
    pub fn replace_path(&mut self, api: &str, name: &str, path: &str) {
        let middleware = format!("juju-sidecar-replace-path-{}", self.id);
        let name = self.router_name(api, name);
        for name in [format!("{name}-tls"), name] {
            if let Some(router) = self.http.routers.get_mut(&name) {
                router.middlewares.push(middleware.clone());
            }
        }
        let replace_path = ReplacePath { path: path.to_owned() };
        self.http.middlewares.insert(middleware, Middleware { replace_path });
    }

    /// Adds the service behind the routers of an API.
    pub fn service(&mut self, api: &str, port: u16) {
        let servers = vec![Server { url: format!("http://{}:{port}", self.cluster_host) }];
        let service = Service { load_balancer: LoadBalancer { servers } };
        self.http.services.insert(self.service_name(api), service);
    }

    /// The text of the databag.
    pub fn to_text(&self) -> String {
        serde_yaml::to_string(self).unwrap_or_default()
    }

    fn router_name(&self, api: &str, name: &str) -> String {
        format!("juju-{}-{api}-router-{name}", self.id)
    }

    fn service_name(&self, api: &str) -> String {
        format!("juju-{}-{api}-service", self.id)
    }
}

/// Nobody certifies names below an IP address.
fn domains(host: &str) -> Vec<Domain> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(_) => vec![],
        Err(_) => vec![Domain { main: host.to_owned(), sans: vec![format!("*.{host}")] }],
    }
}
