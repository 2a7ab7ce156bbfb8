//! open-port, close-port, opened-ports, network-get.

use serde_json::{Map, Value, json};

use super::{Call, Fault, Outcome};

pub(super) fn open(call: &mut Call<'_>) -> Outcome {
    change(call, true)
}

pub(super) fn close(call: &mut Call<'_>) -> Outcome {
    change(call, false)
}

fn change(call: &mut Call<'_>, open: bool) -> Outcome {
    call.at_most(1)?;
    let text = call.arg(0).ok_or_else(|| Fault::usage("no port or range specified"))?;
    let port = parse(text).ok_or_else(|| {
        let form = "expected <port>[/<protocol>] or <from>-<to>[/<protocol>] or icmp";
        Fault::Usage(format!("invalid port \"{text}\"; {form}"))
    })?;
    call.ctx.changes.ports.insert(port, open);
    Ok(String::new())
}

// `80`, `80/tcp`, `80-90/udp` or `icmp`; the protocol is tcp if none is given.
fn parse(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if lower == "icmp" {
        return Some(lower);
    }
    let (ports, protocol) = lower.split_once('/').unwrap_or((&lower, "tcp"));
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let (from, to) = match ports.split_once('-') {
        Some((from, to)) => (number(from)?, number(to)?),
        None => (number(ports)?, number(ports)?),
    };
    if from > to || !["tcp", "udp"].contains(&protocol) {
        return None;
    }
    Some(if from == to { format!("{from}/{protocol}") } else { format!("{from}-{to}/{protocol}") })
}

pub(super) fn opened(call: &mut Call<'_>) -> Outcome {
    call.at_most(0)?;
    let ports = &call.model.unit(&call.ctx.unit)?.ports;
    let suffix = if call.flags.has("endpoints") { " (*)" } else { "" };
    let value: Vec<String> = ports.iter().map(|port| format!("{port}{suffix}")).collect();
    call.print(&json!(value))
}

pub(super) fn network_get(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    let id = call.relation_id()?;
    let by_relation =
        id.and_then(|id| Some(call.model.relations.get(&id)?.side(call.app())?.endpoint.clone()));
    let binding = match (call.arg(0), by_relation) {
        (Some(name), _) => name.to_owned(),
        (None, Some(name)) => name,
        (None, None) => return Err(Fault::usage("no binding name specified")),
    };
    let charm = &call.model.application(call.app())?.charm;
    let known =
        binding == "juju-info" || charm.endpoints.contains_key(&binding) || charm.bindings.contains(&binding);
    if !known {
        return Err(Fault::failed(format!("no network config found for binding \"{binding}\"")));
    }
    let address = call.model.unit(&call.ctx.unit)?.address.clone();
    let subnet = format!("{address}/32");
    // JSON calls an address `value`; YAML has it under both names.
    let mut entry = json!({"hostname": "", "value": address, "cidr": ""});
    if call.flags.get("format").is_none_or(|format| format != "json") {
        entry["address"] = json!(address);
    }
    let interface = json!({"mac-address": "", "interface-name": "", "addresses": [entry]});
    let all = [
        ("bind-addresses", json!([interface])),
        ("egress-subnets", json!([subnet])),
        ("ingress-addresses", json!([address])),
    ];
    let asked = [
        ("bind-address", json!(address)),
        ("egress-subnets", json!([subnet])),
        ("ingress-address", json!(address)),
        ("primary-address", json!(address)),
    ];
    let mut asked: Vec<(&str, Value)> = asked.into_iter().filter(|(name, _)| call.flags.has(name)).collect();
    let value = match asked.len() {
        0 => Value::Object(all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        1 => asked.remove(0).1,
        _ => Value::Object(
            asked.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
        ),
    };
    call.print(&value)
}
