//! The order in which services are started and stopped, and which of them hang together.
//!
//! It is given the services of the plan and the names asked for, and gives lanes: each is worked off in order, lanes run
//! beside each other. `requires` decides who comes along and who shares a lane, `after` and `before` only the order.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Service;

type Services = BTreeMap<String, Service>;

/// Lanes for a start: the named services and, transitively, what they require.
///
/// # Errors
/// An unknown service or a loop.
pub fn start(services: &Services, names: &[String]) -> Result<Vec<Vec<String>>, String> {
    let selected = closure(names, |name| services.get(name).map(|s| s.requires.clone()).unwrap_or_default());
    lanes(services, ordered(services, &selected)?)
}

/// Lanes for a stop: the named services and, transitively, those that require them; in reverse order.
///
/// # Errors
/// An unknown service or a loop.
pub fn stop(services: &Services, names: &[String]) -> Result<Vec<Vec<String>>, String> {
    let selected = closure(names, |name| {
        services
            .iter()
            .filter(|(_, s)| s.requires.iter().any(|r| r == name))
            .map(|(n, _)| n.clone())
            .collect()
    });
    let mut order = ordered(services, &selected)?;
    reverse_dependants(services, &mut order);
    lanes(services, order)
}

/// Lanes for exactly the named services.
///
/// # Errors
/// An unknown service or a loop.
pub fn only(services: &Services, names: &[String]) -> Result<Vec<Vec<String>>, String> {
    lanes(services, ordered(services, &names.iter().cloned().collect())?)
}

fn closure(names: &[String], next: impl Fn(&str) -> Vec<String>) -> BTreeSet<String> {
    let mut selected = BTreeSet::new();
    let mut pending = names.to_vec();
    while let Some(name) = pending.pop() {
        if selected.insert(name.clone()) {
            pending.extend(next(&name));
        }
    }
    selected
}

/// The selected services that must come before `name`.
fn predecessors<'a>(
    services: &'a Services,
    selected: &'a BTreeSet<String>,
    name: &str,
) -> BTreeSet<&'a String> {
    selected
        .iter()
        .filter(|other| {
            services.get(name).is_some_and(|service| service.after.contains(other))
                || services.get(*other).is_some_and(|service| service.before.iter().any(|next| next == name))
        })
        .collect()
}

fn ordered(services: &Services, selected: &BTreeSet<String>) -> Result<Vec<String>, String> {
    if let Some(unknown) = selected.iter().find(|name| !services.contains_key(*name)) {
        return Err(format!("service {unknown:?} does not exist"));
    }
    let before: BTreeMap<&String, BTreeSet<&String>> =
        selected.iter().map(|name| (name, predecessors(services, selected, name))).collect();
    let mut order: Vec<String> = Vec::new();
    let mut left: BTreeSet<&String> = selected.iter().collect();
    while !left.is_empty() {
        let ready =
            left.iter().copied().find(|name| before[*name].iter().all(|earlier| !left.contains(*earlier)));
        let Some(name) = ready else {
            let names: Vec<&str> = looped(&before, &left).into_iter().map(String::as_str).collect();
            return Err(format!("services in before/after loop: {}", names.join(", ")));
        };
        left.remove(name);
        order.push(name.clone());
    }
    Ok(order)
}

/// Of services that wait for each other, those that wait (over others) for themselves.
fn looped<'a>(
    before: &BTreeMap<&'a String, BTreeSet<&'a String>>,
    left: &BTreeSet<&'a String>,
) -> Vec<&'a String> {
    let reaches_itself = |name: &'a String| {
        let mut seen = BTreeSet::new();
        let mut pending: Vec<&String> = before[name].iter().copied().collect();
        while let Some(next) = pending.pop() {
            if next == name {
                return true;
            }
            if seen.insert(next) {
                pending.extend(before[next].iter().copied());
            }
        }
        false
    };
    left.iter().copied().filter(|name| reaches_itself(name)).collect()
}

/// Turns a start order into a stop order: a pair tied by after/before swaps, the rest stays sorted by name.
fn reverse_dependants(services: &Services, order: &mut Vec<String>) {
    let selected: BTreeSet<String> = order.iter().cloned().collect();
    let mut result: Vec<String> = Vec::new();
    let mut left = selected.clone();
    while let Some(name) = left
        .iter()
        .find(|name| {
            left.iter()
                .all(|other| !predecessors(services, &selected, other).contains(name) || other == *name)
        })
        .cloned()
    {
        left.remove(&name);
        result.push(name);
    }
    *order = result;
}

/// Puts services that are tied by `requires` into one lane, lanes in the order of their first member.
fn lanes(services: &Services, order: Vec<String>) -> Result<Vec<Vec<String>>, String> {
    let tied = |a: &String, b: &String| {
        let requires =
            |a: &String, b: &String| services.get(a).is_some_and(|service| service.requires.contains(b));
        requires(a, b) || requires(b, a)
    };
    let mut group: Vec<usize> = (0..order.len()).collect();
    for a in 0..order.len() {
        for b in 0..a {
            if tied(&order[a], &order[b]) {
                let (from, to) = (group[a].max(group[b]), group[a].min(group[b]));
                group.iter_mut().filter(|g| **g == from).for_each(|g| *g = to);
            }
        }
    }
    let mut lanes: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (index, name) in order.into_iter().enumerate() {
        lanes.entry(group[index]).or_default().push(name);
    }
    Ok(lanes.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(text: &[(&str, &[&str], &[&str])]) -> Services {
        text.iter()
            .map(|(name, requires, after)| {
                let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
                (
                    (*name).to_owned(),
                    Service { requires: list(requires), after: list(after), ..Service::default() },
                )
            })
            .collect()
    }

    #[test]
    fn requires_pulls_in_and_shares_a_lane_while_after_orders() {
        let all = services(&[("a", &["z"], &["z"]), ("b", &[], &[]), ("z", &[], &[])]);
        let names = |lanes: Result<Vec<Vec<String>>, String>| lanes.map(|l| l.join(&"|".to_owned()).concat());
        assert_eq!(names(start(&all, &["b".into(), "a".into()])), Ok("b|za".into()));
        assert_eq!(names(stop(&all, &["z".into()])), Ok("az".into()));
        assert_eq!(names(only(&all, &["a".into()])), Ok("a".into()));
    }

    #[test]
    fn unknown_services_and_loops_are_refused() {
        let all = services(&[("l1", &[], &["l2"]), ("l2", &[], &["l1"]), ("l3", &["no"], &["l1"])]);
        assert_eq!(start(&all, &["l3".into()]), Err("service \"no\" does not exist".into()));
        assert_eq!(
            start(&all, &["l1".into(), "l2".into()]),
            Err("services in before/after loop: l1, l2".into())
        );
    }
}
