//! Topics that are gone although workloads are at work with them: what waited in them is lost, and nothing else
//! says so.

use kube::Resource as _;
use kube::runtime::events::{Event, EventType};

use super::Context;
use super::report::publish;
use crate::api::Chat4AllCluster;
use crate::findings::Rollouts;
use crate::model::Model;

/// Topics that are named in the event, which has room for 1,024 characters.
const NAMED: usize = 2;

/// Those of the missing topics that a workload of the cluster has used.
pub(super) fn vanished(missing: &[String], model: &Model, rollouts: &Rollouts) -> Vec<String> {
    let mut used = Vec::new();
    if rollouts.router.is_some() {
        used.extend(model.shared_topics());
    }
    for (connector, _) in rollouts.connectors.iter().filter(|(_, rollout)| rollout.is_some()) {
        used.extend(model.topics_of(connector));
    }
    used.into_iter().map(|topic| topic.name).filter(|name| missing.contains(name)).collect()
}

/// Tells it at once, since the next look finds the topics there again.
pub(super) async fn tell(vanished: &[String], cluster: &Chat4AllCluster, context: &Context) {
    if vanished.is_empty() {
        return;
    }
    let (namespace, name) = (&cluster.metadata.namespace, &cluster.metadata.name);
    tracing::error!(?namespace, cluster = name, topics = ?vanished, "topics are gone and are made anew");
    let event = Event {
        type_: EventType::Warning,
        reason: "TopicsMadeAnew".to_owned(),
        note: Some(note(vanished)),
        action: "MakeTopics".to_owned(),
        secondary: None,
    };
    publish(context, &event, &cluster.object_ref(&())).await;
}

fn note(vanished: &[String]) -> String {
    let mut named = vanished.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if vanished.len() > NAMED {
        named = format!("{named} and {} more", vanished.len() - NAMED);
    }
    format!(
        "spec.kafka: Kafka does not have these topics any more, and they are made anew: {named}. Unless spec.kafka was changed just now, what waited in them is lost; see whether Kafka's disk was full or its data were replaced. A message that stays ACCEPTED may have been sent or not, so look before it is sent again, under a new key; statuses and what customers wrote may be missing"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests::model;
    use crate::rollout::Rollout;

    fn missing(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn at_work(connectors: &[(&str, bool)]) -> Rollouts {
        let connector = |(name, there): &(&str, bool)| ((*name).to_owned(), there.then(Rollout::default));
        Rollouts {
            router: Some(Rollout::default()),
            connectors: connectors.iter().map(connector).collect(),
            ..Rollouts::default()
        }
    }

    #[test]
    fn every_topic_is_new_while_nobody_is_at_work() {
        let all = missing(&["messages", "status-updates", "failed-messages-dlq", "main-outbound", "main-inbound"]);
        let rollouts = Rollouts { connectors: vec![("main".into(), None)], ..Rollouts::default() };
        assert_eq!(vanished(&all, &model(""), &rollouts), [""; 0]);
    }

    #[test]
    fn one_topic_that_is_gone_is_enough() {
        let gone = missing(&["status-updates"]);
        assert_eq!(vanished(&gone, &model(""), &at_work(&[])), gone);
    }

    #[test]
    fn topics_of_a_new_connector_are_new_beside_one_that_is_at_work() {
        let both = missing(&["main-outbound", "new-outbound", "new-inbound"]);
        let rollouts = at_work(&[("main", true), ("new", false)]);
        assert_eq!(vanished(&both, &model(""), &rollouts), ["main-outbound"]);
    }

    #[test]
    fn the_note_has_room_in_an_event() {
        let long: Vec<String> = (0..200).map(|n| format!("{n:0>249}")).collect();
        let note = note(&long);
        assert!(note.contains("and 198 more") && note.len() <= 1024, "{} characters", note.len());
    }
}
