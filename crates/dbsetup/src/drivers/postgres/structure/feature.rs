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
    NoComment = "comment that is gone",

    View = "view",
    ViewOptions = "options of a view",
    ViewDefault = "default of a view's column",
    MaterializedView = "materialized view",
    MaterializedViewOptions = "storage parameters of a materialized view",
    MaterializedViewMethod = "access method of a materialized view",
    Rule = "rule",
    RuleState = "state of a rule",
    Trigger = "trigger",
    TriggerState = "state of a trigger",
    PartitionTriggerState = "state of a partition's trigger",
    ConstraintTriggersState = "state of the triggers of constraints",
    Policy = "policy",
    PolicyRestrictive = "restrictive policy",
    PolicyCommand = "command of a policy",
    PolicyRoles = "roles of a policy",
    PolicyUsing = "policy for rows that are read",
    PolicyCheck = "policy for rows that are written",
    Statistics = "extended statistics",
    StatisticsTarget = "target of extended statistics",
    Publication = "publication",
    PublicationAllTables = "publication of all tables",
    PublicationOperations = "operations of a publication",
    PublicationGeneratedColumns = "generated columns of a publication",
    PublicationViaRoot = "publication through the partitioned table",
    PublicationTable = "table of a publication",
    PublicationColumns = "columns of a publication's table",
    PublicationFilter = "rows of a publication's table",
    PublicationSchema = "schema of a publication",
    EventTrigger = "event trigger",
    EventTriggerTags = "tags of an event trigger",
    EventTriggerState = "state of an event trigger",
    ForeignDataWrapper = "foreign-data wrapper",
    ForeignDataWrapperHandler = "handler of a foreign-data wrapper",
    ForeignDataWrapperValidator = "validator of a foreign-data wrapper",
    ForeignDataWrapperOptions = "options of a foreign-data wrapper",
    ForeignServer = "foreign server",
    ForeignServerType = "type of a foreign server",
    ForeignServerVersion = "version of a foreign server",
    ForeignServerOptions = "options of a foreign server",

    ExtensionNeed = "dependency on an extension",
    SecurityLabel = "security label",
    ColumnSecurityLabel = "security label on a column",
    Owner = "owner",
    Privileges = "privileges",
    ColumnPrivileges = "privileges on a column",
    PrivilegesOnOthers = "privileges on what the engine or an extension makes",
    GrantOption = "right to grant on",
    Grantor = "role that has granted",
    DefaultPrivileges = "default privileges",
}
