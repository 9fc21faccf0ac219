//! What a page is sent: first everything, then what has changed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use futures::{Stream, stream};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::hub::{Hub, Key};

/// Changes within this time are sent together: a switch of many apps is thousands of events.
const TOGETHER: Duration = Duration::from_millis(40);

/// A page's view of the hub.
struct Page {
    hub: Arc<Hub>,
    told: watch::Receiver<u64>,
    /// The app that the page shows; none for the list of all.
    app: Option<Key>,
    /// The version of the hub that the page knows.
    seen: Option<u64>,
    /// What the page was sent of each app, without what changes by itself.
    sent: HashMap<Key, String>,
    troubles: Value,
}

/// The messages for a page with all apps, or with one.
pub fn messages(hub: &Arc<Hub>, app: Option<Key>) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let (hub, told) = (hub.clone(), hub.subscribe());
    let page = Page { hub, told, app, seen: None, sent: HashMap::new(), troubles: Value::Null };
    stream::unfold(page, async |mut page| {
        let message = page.next().await?;
        Some((Ok(Event::default().data(message.to_string())), page))
    })
}

impl Page {
    /// The next message; none once the hub is gone.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if self.seen.is_some() {
                self.told.changed().await.ok()?;
                tokio::time::sleep(TOGETHER).await;
            }
            // What comes from here on is news.
            self.told.mark_unchanged();
            if let Some(message) = self.message() {
                return Some(message);
            }
        }
    }

    /// What the page does not know yet; none if there is nothing.
    fn message(&mut self) -> Option<Value> {
        let is_first = self.seen.is_none();
        let news = self.hub.news(self.seen.unwrap_or(0));
        self.seen = Some(news.version);
        let troubles = json!(news.troubles);
        let now = Timestamp::now();
        let content = match self.app.clone() {
            None => self.rows(news.apps),
            Some(key) => (is_first || news.apps.contains(&key)).then(|| self.picture(key, now)).flatten(),
        };
        if content.is_none() && troubles == self.troubles && !is_first {
            return None;
        }
        self.troubles = troubles;
        let mut message = content.unwrap_or_else(|| json!({}));
        message["now"] = json!(now);
        message["troubles"] = self.troubles.clone();
        Some(message)
    }

    /// The lines that are new or different, and the apps that are gone; none if there are none.
    fn rows(&mut self, apps: Vec<Key>) -> Option<Value> {
        let (mut rows, mut gone) = (Vec::new(), Vec::new());
        for key in apps {
            match self.hub.row(&key) {
                Some(row) => {
                    let text = json!(row).to_string();
                    if self.sent.get(&key) != Some(&text) {
                        self.sent.insert(key, text);
                        rows.push(row);
                    }
                }
                None if self.sent.remove(&key).is_some() => gone.push(format!("{}/{}", key.0, key.1)),
                None => {}
            }
        }
        (!rows.is_empty() || !gone.is_empty()).then(|| json!({ "rows": rows, "gone": gone }))
    }

    /// The picture, if it is different; `null` if the app is gone.
    fn picture(&mut self, key: Key, now: Timestamp) -> Option<Value> {
        let (picture, comparable) = match self.hub.picture(&key, now) {
            Some(Ok(picture)) => (json!(picture), json!(picture.ageless()).to_string()),
            Some(Err(why)) => (json!({ "cantRead": why }), why),
            None => (Value::Null, String::new()),
        };
        if self.sent.get(&key) == Some(&comparable) {
            return None;
        }
        self.sent.insert(key, comparable);
        Some(json!({ "app": picture }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bluegreen_api::BlueGreenApp;
    use bluegreen_client::careful::Careful;
    use kube::runtime::watcher::Event;

    use super::super::hub::{APPS, Trouble};
    use super::*;

    fn put(hub: &Hub, name: &str, active: &str, version: &str) {
        let app: BlueGreenApp = serde_json::from_value(json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": {"name": name, "namespace": "shop", "generation": 1, "resourceVersion": version},
            "spec": {"active": active, "image": "hello", "blue": {"tag": "1"}, "green": {"tag": "2"}, "replicas": 1,
                "port": 80},
        }))
        .unwrap();
        hub.take(APPS, Event::Apply(Careful(Ok(app))), &mut Vec::new());
    }

    fn page(hub: &Arc<Hub>, app: Option<Key>) -> Page {
        let (hub, told) = (hub.clone(), hub.subscribe());
        Page { hub, told, app, seen: None, sent: HashMap::new(), troubles: Value::Null }
    }

    fn names(message: &Value) -> Vec<&str> {
        message["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_list_gets_everything_first_and_then_only_what_differs() {
        let hub = Arc::new(Hub::default());
        put(&hub, "a", "blue", "1");
        put(&hub, "b", "blue", "1");
        let mut page = page(&hub, None);
        let mut first = page.message().unwrap();
        first["rows"].as_array_mut().unwrap().sort_by_key(|row| row["name"].to_string());
        assert_eq!(names(&first), ["a", "b"]);
        assert_eq!(page.message(), None);
        put(&hub, "a", "blue", "2");
        assert_eq!(page.message(), None, "nothing that is shown has changed");
        put(&hub, "a", "green", "3");
        assert_eq!(names(&page.message().unwrap()), ["a"]);
        hub.trouble("pods", Some(Trouble { kind: "pods".into(), denied: true, why: "no".into() }));
        assert_eq!(page.message().unwrap()["troubles"][0]["why"], "no");
    }

    #[test]
    fn a_picture_is_sent_again_only_if_its_own_app_has_changed() {
        let hub = Arc::new(Hub::default());
        let mut page = page(&hub, Some(("shop".to_owned(), "a".to_owned())));
        let first = page.message().unwrap();
        assert!(first.get("app").is_some_and(Value::is_null), "there is no such app yet: {first}");
        put(&hub, "a", "blue", "1");
        assert_eq!(page.message().unwrap()["app"]["target"], "blue");
        put(&hub, "b", "blue", "1");
        assert_eq!(page.message(), None);
        put(&hub, "a", "green", "2");
        assert_eq!(page.message().unwrap()["app"]["target"], "green");
    }
}
