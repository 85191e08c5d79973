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
    EnumType = "enumeration",
    EnumLabel = "label of an enumeration",
    Domain = "domain",
    DomainCollation = "collation of a domain",
    DomainDefault = "default of a domain",
    DomainNotNull = "NOT NULL of a domain",
    DomainNotNullName = "name of a domain's NOT NULL",
    DomainCheck = "check of a domain",
    DomainCheckNotValid = "check of a domain that is not valid",
    CompositeType = "composite type",
    CompositeCollation = "collation of a composite type's column",
    RangeType = "range type",
    RangeMultirange = "name of a multirange",
    RangeOperatorClass = "operator class of a range type",
    RangeCollation = "collation of a range type",
    RangeCanonical = "canonical function of a range type",
    RangeSubtypeDifference = "difference function of a range type",
    ShellType = "shell type",
    BaseType = "base type",
    BaseReceive = "receive function of a base type",
    BaseSend = "send function of a base type",
    BaseModifierIn = "modifier input function of a base type",
    BaseModifierOut = "modifier output function of a base type",
    BaseAnalyze = "analyze function of a base type",
    BaseSubscript = "subscript function of a base type",
    BaseLength = "length of a base type",
    BaseByValue = "passing of a base type by value",
    BaseAlignment = "alignment of a base type",
    BaseStorage = "storage of a base type",
    BaseCategory = "category of a base type",
    BasePreferred = "preference of a base type",
    BaseDefault = "default of a base type",
    BaseElement = "element of a base type",
    BaseDelimiter = "delimiter of a base type",
    BaseCollatable = "collatability of a base type",
    Function = "function",
    Procedure = "procedure",
    WindowFunction = "window function",
    Aggregate = "aggregate",
    AggregateSpace = "state size of an aggregate",
    AggregateFinal = "final function of an aggregate",
    AggregateFinalExtra = "extra arguments of an aggregate's final function",
    AggregateFinalModify = "modification by an aggregate's final function",
    AggregateInitial = "initial state of an aggregate",
    AggregateCombine = "combine function of an aggregate",
    AggregateSerialize = "serialization of an aggregate's state",
    AggregateMoving = "moving mode of an aggregate",
    AggregateMovingSpace = "state size of an aggregate's moving mode",
    AggregateMovingFinal = "final function of an aggregate's moving mode",
    AggregateMovingFinalExtra = "extra arguments of a moving final function",
    AggregateMovingFinalModify = "modification by a moving final function",
    AggregateMovingInitial = "initial state of an aggregate's moving mode",
    AggregateSortOperator = "sort operator of an aggregate",
    AggregateParallel = "parallel safety of an aggregate",
    AggregateHypothetical = "hypothetical-set aggregate",
    Operator = "operator",
    OperatorCommutator = "commutator of an operator",
    OperatorNegator = "negator of an operator",
    OperatorRestrict = "restriction estimator of an operator",
    OperatorJoin = "join estimator of an operator",
    OperatorHashes = "hashing by an operator",
    OperatorMerges = "merging by an operator",
    ShellOperator = "operator that is a name only",
    OperatorFamily = "operator family",
    LooseMember = "member of an operator family alone",
    ForeignMember = "member added to a family of the engine or an extension",
    OperatorClass = "operator class",
    OperatorClassDefault = "default operator class",
    OperatorClassStorage = "storage type of an operator class",
    OperatorClassMember = "member of an operator class",
    Cast = "cast",
    CastContext = "context of a cast",
    Transform = "transform",
    TransformFrom = "FROM SQL function of a transform",
    TransformTo = "TO SQL function of a transform",
    Conversion = "conversion",
    ConversionDefault = "default conversion",
    Language = "language",
    LanguageTrusted = "trust in a language",
    LanguageInline = "inline handler of a language",
    LanguageValidator = "validator of a language",
    AccessMethod = "access method",
    Collation = "collation",
    CollationDeterminism = "determinism of a collation",
    CollationType = "character type of a collation",
    CollationRules = "rules of a collation",
    TextSearchParser = "text search parser",
    TextSearchHeadline = "headline function of a text search parser",
    TextSearchTemplate = "text search template",
    TextSearchInit = "init function of a text search template",
    TextSearchDictionary = "text search dictionary",
    TextSearchOptions = "options of a text search dictionary",
    TextSearchConfiguration = "text search configuration",
    TextSearchMapping = "mapping of a text search configuration",
}
