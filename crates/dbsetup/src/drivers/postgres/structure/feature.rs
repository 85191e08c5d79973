//! The register of all that a dump writes. Whoever writes something asks whether it is on: always, but in the tests
//! that switch one off and prove that the dump does not get through without it.

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Something that a dump writes: a kind of object, or a property of one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Feature {
            $($(#[$doc])* $name,)*
        }

        impl Feature {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it is, in words.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

features! {
    // Keep each family's together, kinds of objects before their properties.
    Schema = "schema",
    Extension = "extension",
    Comment = "comment",
    ColumnComment = "comment on a column",
}
