//! Reads objects as if somebody had made them to do harm.
//!
//! Kubernetes accepts objects that the types of this program can't hold: a time after 9999-12-30, or JSON that is nested
//! more than 127 deep. `kube` decodes a list as one document, so one such object would hide all others, in every
//! namespace, for as long as it exists. [`Careful`] decodes each object on its own. What it can't decode it returns as
//! [`Unreadable`], and the others are read.
//!
//! `metadata.managedFields` is decoded apart from the rest, because whoever may patch an object may write into it what they
//! want: here, no content of it makes an object unreadable.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bluegreen_core::desired::names;
use bluegreen_core::harmless::harmless;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, ObjectMeta, Time};
use kube::Resource;
use kube::core::PartialObjectMeta;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

/// Field sets are read to this depth; what is deeper is left out. No kind of Kubernetes nests nearly as deep.
const DEPTH: usize = 64;

/// An object of a list, of a watch or by name; or what is known of it, if it can't be decoded.
#[derive(Clone, Debug)]
pub struct Careful<K>(pub Result<K, Unreadable>);

/// An object that can't be decoded.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    /// Name, namespace, uid, resourceVersion, labels and the time of deletion; nothing else.
    pub metadata: ObjectMeta,
    /// Why it can't be decoded: the path of the field, and the words of the JSON library.
    pub why: String,
}

/// A kind that is read carefully.
pub trait Readable: Resource<DynamicType = ()> {
    /// Whether the field managers are kept: only what is compared with them needs them, and they are half of an object.
    const KEEPS_MANAGERS: bool = false;

    /// Adds to a stand-in what keeps it from looking like an object that is empty.
    fn complete_stand_in(&mut self) {}
}

impl Readable for bluegreen_api::BlueGreenApp {}
impl Readable for k8s_openapi::api::apps::v1::ControllerRevision {}
impl Readable for k8s_openapi::api::apps::v1::Deployment {
    const KEEPS_MANAGERS: bool = true;
}
impl Readable for k8s_openapi::api::apps::v1::ReplicaSet {}
impl Readable for k8s_openapi::api::batch::v1::Job {}
impl Readable for k8s_openapi::api::coordination::v1::Lease {}
impl Readable for k8s_openapi::api::core::v1::Event {}
impl Readable for k8s_openapi::api::core::v1::Pod {}
impl Readable for k8s_openapi::api::core::v1::Service {
    const KEEPS_MANAGERS: bool = true;
}
impl Readable for EndpointSlice {
    /// A slice without endpoints would say that no pod gets traffic. This one lists a pod that is nobody's, and not ready.
    fn complete_stand_in(&mut self) {
        let target_ref = ObjectReference { uid: self.metadata.uid.clone(), ..ObjectReference::default() };
        self.endpoints = vec![Endpoint { target_ref: Some(target_ref), ..Endpoint::default() }];
    }
}
impl<K: Readable> Readable for PartialObjectMeta<K> {}

impl<K: Readable> Careful<K> {
    /// The object, or one of the same kind that has its metadata and nothing else. `names::UNREADABLE` marks it, so that
    /// nothing takes what it lacks for what the cluster has.
    pub fn or_stand_in(self) -> K
    where
        K: Default,
    {
        self.0.unwrap_or_else(|Unreadable { metadata, why }| {
            let mut object = K::default();
            *object.meta_mut() = metadata;
            object.meta_mut().annotations.get_or_insert_default().insert(names::UNREADABLE.to_owned(), why);
            object.complete_stand_in();
            object
        })
    }
}

impl<'de, K> Deserialize<'de> for Careful<K>
where
    K: Readable + for<'a> Deserialize<'a>,
{
    /// # Errors
    /// When this is not JSON, or no object at all: the API server would have to be broken.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text is taken as it is first. That never fails because of its content.
        let text = <Box<RawValue>>::deserialize(deserializer)?;
        let (rest, managers) = apart(text.get()).map_err(D::Error::custom)?;
        let Ok(mut object) = serde_json::from_str::<K>(&rest) else {
            let Bare { metadata } = serde_json::from_str(&rest).map_err(D::Error::custom)?;
            return Ok(Self(Err(Unreadable { metadata: metadata.into(), why: reason::<K>(&rest) })));
        };
        if K::KEEPS_MANAGERS {
            let managers = managers.map(|text| serde_json::from_str(text.get())).transpose();
            let managers: Option<Vec<Entry>> = managers.map_err(D::Error::custom)?;
            object.meta_mut().managed_fields =
                managers.map(|entries| entries.into_iter().map(Entry::into).collect());
        }
        Ok(Self(Ok(object)))
    }
}

/// Why this text can't be decoded: the path of the field, and the words of the JSON library.
fn reason<K: for<'a> Deserialize<'a>>(text: &str) -> String {
    let mut json = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, K>(&mut json) {
        Ok(_) => String::new(),
        Err(error) => {
            let words = error.inner().to_string();
            // The position in the text says nothing to anybody who can't see the text.
            let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
            // A whole value may be part of the words.
            format!("{}: {}", error.path(), harmless(words, 200))
        }
    }
}

/// The text of an object without its field managers, and those.
fn apart(text: &str) -> serde_json::Result<(Cow<'_, str>, Option<Box<RawValue>>)> {
    type Fields<'a> = BTreeMap<String, &'a RawValue>;
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Fields<'a>);

    let Borrowed(mut object) = serde_json::from_str(text)?;
    let Some(metadata) = object.get("metadata") else { return Ok((text.into(), None)) };
    let Borrowed(mut metadata) = serde_json::from_str(metadata.get())?;
    let Some(managers) = metadata.remove("managedFields") else { return Ok((text.into(), None)) };
    let metadata = to_raw_value(&metadata)?;
    object.insert("metadata".to_owned(), &metadata);
    Ok((serde_json::to_string(&object)?.into(), Some(managers.to_owned())))
}

/// What is read of an object that can't be decoded.
#[derive(Deserialize)]
struct Bare {
    metadata: BareMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BareMeta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    deletion_timestamp: Lenient<Time>,
}

impl From<BareMeta> for ObjectMeta {
    fn from(bare: BareMeta) -> Self {
        let BareMeta { name, namespace, uid, resource_version, labels, deletion_timestamp } = bare;
        let deletion_timestamp = deletion_timestamp.0;
        Self { name, namespace, uid, resource_version, labels, deletion_timestamp, ..Self::default() }
    }
}

/// One field manager's entry, of which anything may be odd.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    api_version: Option<String>,
    fields_type: Option<String>,
    fields_v1: Option<Shallow>,
    manager: Option<String>,
    operation: Option<String>,
    subresource: Option<String>,
    #[serde(default)]
    time: Lenient<Time>,
}

impl From<Entry> for ManagedFieldsEntry {
    fn from(entry: Entry) -> Self {
        let Entry { api_version, fields_type, fields_v1, manager, operation, subresource, time } = entry;
        let fields_v1 = fields_v1.map(|fields| FieldsV1(fields.0));
        Self { api_version, fields_type, fields_v1, manager, operation, subresource, time: time.0 }
    }
}

/// A value, or none if it can't be decoded.
#[derive(Debug)]
struct Lenient<T>(Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: for<'a> Deserialize<'a>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(text.get()).unwrap_or_default()))
    }
}

/// A JSON value without what is deeper than [`DEPTH`].
struct Shallow(Value);

impl<'de> Deserialize<'de> for Shallow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Levels(DEPTH).deserialize(deserializer).map(Self)
    }
}

/// The number of levels that are still read.
#[derive(Clone, Copy)]
struct Levels(usize);

impl Levels {
    const fn below(self) -> Self {
        Self(self.0 - 1)
    }
}

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.0 == 0 {
            // Skips without recursion (`ignore_value` of serde_json).
            IgnoredAny::deserialize(deserializer)?;
            return Ok(Value::Object(Map::new()));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key()? {
            map.insert(key, access.next_value_seed(self.below())?);
        }
        Ok(Value::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self.below())? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

impl<K: Resource> Resource for Careful<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &K::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &K::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &unreadable.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unreadable| &mut unreadable.metadata, K::meta_mut)
    }
}

#[cfg(test)]
#[path = "careful_tests.rs"]
mod tests;
