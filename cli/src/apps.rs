//! Reads several apps, and lists them.

use bluegreen_api::BlueGreenApp;
use bluegreen_client::careful::Careful;
use jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::args::{Format, Global, ListArgs};
use crate::cluster::{Cluster, within};
use crate::exit::{End, Result};
use crate::output::{print, print_whole, say, shown};
use crate::screen::Terminal;
use crate::table;

/// Apps, and what is said of those that can't be read.
#[derive(Clone, Debug, Default)]
pub struct Apps {
    /// The apps.
    pub apps: Vec<BlueGreenApp>,
    /// NAMESPACE/NAME of each app that can't be read, and why.
    pub unreadable: Vec<String>,
}

/// Reads the apps of the cluster's namespace, or of all, that match a label selector.
///
/// # Errors
/// When they can't be listed.
pub async fn read(cluster: &Cluster, all_namespaces: bool, selector: Option<&str>) -> anyhow::Result<Apps> {
    let api: Api<Careful<BlueGreenApp>> =
        if all_namespaces { Api::all(cluster.client.clone()) } else { cluster.apps() };
    let params = selector.map_or_else(ListParams::default, |it| ListParams::default().labels(it));
    let found = within(api.list(&params)).await;
    let mut apps = Apps::default();
    for app in found.map_err(|error| error.in_words("", &cluster.namespace))?.items {
        match app.0 {
            Ok(app) => apps.apps.push(app),
            Err(unreadable) => {
                let meta = &unreadable.metadata;
                let [namespace, name] =
                    [&meta.namespace, &meta.name].map(|it| it.as_deref().unwrap_or_default());
                apps.unreadable.push(format!("{namespace}/{name} can't be read: {unreadable}"));
            }
        }
    }
    Ok(apps)
}

/// Lists apps.
///
/// # Errors
/// [`Failure`](crate::exit::Failure) when it can't be carried out.
pub async fn list(global: &Global, args: &ListArgs) -> Result {
    let cluster = Cluster::connect(global).await?;
    let Apps { mut apps, unreadable } = read(&cluster, args.all_namespaces, args.selector.as_deref()).await?;
    for why in unreadable {
        say(format!("left out: {why}"));
    }
    table::sort(&mut apps, args.sort_by);
    if apps.is_empty() && args.output == Format::Text {
        if args.all_namespaces {
            say("no apps found in any namespace");
        } else {
            say(format!("no apps found in namespace {:?}", cluster.namespace));
        }
        return Ok(End::Reached);
    }
    let data =
        json!({ "apiVersion": "v1", "kind": "List", "items": apps.iter().map(shown).collect::<Vec<_>>() });
    let lines = table::lines(&apps, args.all_namespaces, Timestamp::now());
    // Without a terminal there is no width to cut the lines to.
    if Terminal::stdout(global.color).height.is_none() {
        print_whole(global, args.output, lines, &data)?;
    } else {
        print(global, args.output, |_| lines, &data)?;
    }
    Ok(End::Reached)
}
