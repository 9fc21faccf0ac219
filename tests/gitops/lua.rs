//! The Lua of `examples/gitops/argocd/argocd-cm.yaml` in a Lua 5.1, with no more of its library than Argo CD gives it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use mlua::{Lua, LuaOptions, LuaSerdeExt, StdLib};
use serde_json::Value;

use crate::root;
use crate::rows::rows;
use crate::states;

pub const CONFIG: &str = "examples/gitops/argocd/argocd-cm.yaml";

/// One of the ConfigMap's two entries.
fn entry(what: &str) -> Result<String> {
    let config: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(root().join(CONFIG))?)?;
    let entry = &config["data"][format!("resource.customizations.{what}.bluegreen.dev_BlueGreenApp")];
    Ok(entry.as_str().context("no such entry")?.to_owned())
}

fn run(script: &str, object: &Value) -> Result<Value> {
    let lua = Lua::new_with(StdLib::TABLE, LuaOptions::default()).map_err(wrong)?;
    let evaluate = || -> mlua::Result<Value> {
        lua.globals().set("obj", lua.to_value(object)?)?;
        let answer: mlua::Value = lua.load(script).eval()?;
        lua.from_value(answer)
    };
    evaluate().map_err(wrong)
}

/// Its errors can't go from one thread to another.
fn wrong(error: mlua::Error) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

/// Status and message.
pub fn health(object: &Value) -> Result<(String, String)> {
    let answer = run(&entry("health")?, object)?;
    let text = |key: &str| answer[key].as_str().with_context(|| format!("no {key}")).map(str::to_owned);
    Ok((text("status")?, text("message")?))
}

/// Each action, and whether it is disabled.
pub fn actions(object: &Value) -> Result<BTreeMap<String, bool>> {
    let all: Value = serde_yaml_ng::from_str(&entry("actions")?)?;
    let found = run(all["discovery.lua"].as_str().context("discovery")?, object)?;
    let found = found.as_object().context("a table")?;
    Ok(found.iter().map(|(name, action)| (name.clone(), action["disabled"] == true)).collect())
}

/// The object after an action.
pub fn act(object: &Value, action: &str) -> Result<Value> {
    let all: Value = serde_yaml_ng::from_str(&entry("actions")?)?;
    let mut definitions = all["definitions"].as_array().context("definitions")?.iter();
    let action = definitions.find(|definition| definition["name"] == action).context("no such action")?;
    run(action["action.lua"].as_str().context("its script")?, object)
}

/// The actions that an app should offer, by its spec alone.
pub fn expected_actions(object: &Value) -> BTreeMap<String, bool> {
    let disabled = |color: &str| object["spec"]["active"] == color || object["spec"][color].is_null();
    ["blue", "green"].into_iter().map(|color| (format!("switch-to-{color}"), disabled(color))).collect()
}

#[test]
fn is_the_health_of_every_state_what_everybody_who_waits_is_told() -> Result<()> {
    let states = states::read()?;
    let mut right = 0;
    for row in rows() {
        let object = states.get(row.name).with_context(|| format!("{} is not in states.yaml", row.name))?;
        let (health, message) = health(object)?;
        assert_eq!(health, row.waits.health(), "{}: {message}", row.name);
        assert!(!message.is_empty(), "{}", row.name);
        right += 1;
    }
    println!("{right} of {} states have the health that they should have", states.len());
    assert_eq!(right, states.len(), "states.yaml has states that no row has");
    Ok(())
}

#[test]
fn does_every_state_offer_the_switch_that_makes_sense() -> Result<()> {
    for (name, object) in states::read()? {
        assert_eq!(actions(&object)?, expected_actions(&object), "{name}");
        for color in ["blue", "green"] {
            let mut after = act(&object, &format!("switch-to-{color}"))?;
            assert_eq!(after["spec"]["active"], color, "{name}");
            after["spec"]["active"] = object["spec"]["active"].clone();
            assert_eq!(after, object, "{name}: nothing else is changed");
        }
    }
    Ok(())
}

#[test]
fn is_an_object_without_any_status_only_on_its_way() -> Result<()> {
    // As from a CRD whose schema has no default for the status.
    let object = serde_json::json!({"metadata": {"generation": 1}, "spec": {"active": "blue"}});
    assert_eq!(health(&object)?.0, "Progressing");
    Ok(())
}
