//! The common rules of all documents: a fixed `type`, all fields mandatory, no other fields.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The fixed value of a schema's `type` field.
pub trait TypeName {
    /// As the specification writes it, for example `request mint`.
    const TYPE: &'static str;
}

/// A schema with a `type` that can be read strictly and written exactly.
pub trait Document: TypeName + Serialize + DeserializeOwned {}

impl<D: TypeName + Serialize + DeserializeOwned> Document for D {}

/// The `type` field of `D`. Reading accepts only `D::TYPE`.
pub(crate) struct TypeField<D>(PhantomData<D>);

impl<'de, D: TypeName> Deserialize<'de> for TypeField<D> {
    fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
        struct TypeVisitor<D>(PhantomData<D>);
        impl<D: TypeName> Visitor<'_> for TypeVisitor<D> {
            type Value = TypeField<D>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{:?}", D::TYPE)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text == D::TYPE {
                    Ok(TypeField(PhantomData))
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(text), &self))
                }
            }
        }
        deserializer.deserialize_str(TypeVisitor(PhantomData))
    }
}

/// Defines the struct of a schema. Fields must be in alphabetical order, in which they are written; `type` always
/// comes last.
///
/// `Deserialize` is not derived, because the derived code also accepts the fields as a bare list.
macro_rules! document {
    ($(#[$attribute:meta])* $name:ident = $type_name:literal { $($(#[$field_attribute:meta])* $field:ident: $field_type:ty,)+ }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $($(#[$field_attribute])* pub $field: $field_type,)+ }

        impl $crate::TypeName for $name {
            const TYPE: &'static str = $type_name;
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeStruct as _;
                const FIELDS: &[&str] = &[$(stringify!($field),)+ "type"];
                let mut fields = serializer.serialize_struct($type_name, FIELDS.len())?;
                $(fields.serialize_field(stringify!($field), &self.$field)?;)+
                fields.serialize_field("type", $type_name)?;
                fields.end()
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use ::serde::de::Error as _;

                #[derive(::serde::Deserialize)]
                #[serde(field_identifier)]
                #[expect(non_camel_case_types, reason = "the variants are the fields' names")]
                enum Field { $($field,)+ r#type }

                struct FieldsVisitor;
                impl<'de> ::serde::de::Visitor<'de> for FieldsVisitor {
                    type Value = $name;

                    fn expecting(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        formatter.write_str(concat!("an object of type \"", $type_name, "\""))
                    }

                    fn visit_map<A: ::serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        $(let mut $field: Option<$field_type> = None;)+
                        let mut r#type: Option<$crate::document::TypeField<$name>> = None;
                        while let Some(field) = map.next_key()? {
                            match field {
                                $(Field::$field => {
                                    if $field.replace(map.next_value()?).is_some() {
                                        return Err(A::Error::duplicate_field(stringify!($field)));
                                    }
                                })+
                                Field::r#type => {
                                    if r#type.replace(map.next_value()?).is_some() {
                                        return Err(A::Error::duplicate_field("type"));
                                    }
                                }
                            }
                        }
                        r#type.ok_or_else(|| A::Error::missing_field("type"))?;
                        Ok($name { $($field: $field.ok_or_else(|| A::Error::missing_field(stringify!($field)))?,)+ })
                    }
                }
                const FIELDS: &[&str] = &[$(stringify!($field),)+ "type"];
                deserializer.deserialize_struct($type_name, FIELDS, FieldsVisitor)
            }
        }
    };
}
pub(crate) use document;
