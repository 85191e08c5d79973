-- Types, functions, operators and their kin: each property that one of them can have, somewhere.
-- Sections behind `-- since N` need that release or a newer one.

-- base types: every property
CREATE SCHEMA app;
CREATE TYPE app.base;
CREATE FUNCTION app.base_in(cstring, oid, integer) RETURNS app.base LANGUAGE internal IMMUTABLE STRICT AS 'varcharin';
CREATE FUNCTION app.base_out(app.base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'varcharout';
CREATE FUNCTION app.base_recv(internal, oid,
    integer) RETURNS app.base LANGUAGE internal IMMUTABLE STRICT AS 'varcharrecv';
CREATE FUNCTION app.base_send(app.base) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'varcharsend';
CREATE TYPE app.base (INPUT = app.base_in, OUTPUT = app.base_out, RECEIVE = app.base_recv, SEND = app.base_send,
  TYPMOD_IN = varchartypmodin, TYPMOD_OUT = varchartypmodout, ANALYZE = array_typanalyze, STORAGE = extended,
    CATEGORY = 'S', PREFERRED = true,
  DEFAULT = 'it''s \ "x"', DELIMITER = ';', COLLATABLE = true, ALIGNMENT = double);
COMMENT ON TYPE app.base IS 'a base';
CREATE TYPE app.fixed;
CREATE FUNCTION app.fixed_in(cstring) RETURNS app.fixed LANGUAGE internal IMMUTABLE STRICT AS 'point_in';
CREATE FUNCTION app.fixed_out(app.fixed) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'point_out';
CREATE TYPE app.fixed (INPUT = app.fixed_in, OUTPUT = app.fixed_out, INTERNALLENGTH = 16, ELEMENT = float8,
    ALIGNMENT = double);
CREATE TYPE app.small;
CREATE FUNCTION app.small_in(cstring) RETURNS app.small LANGUAGE internal IMMUTABLE STRICT AS 'boolin';
CREATE FUNCTION app.small_out(app.small) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'boolout';
CREATE TYPE app.small (INPUT = app.small_in, OUTPUT = app.small_out, INTERNALLENGTH = 1, PASSEDBYVALUE,
    ALIGNMENT = char);
CREATE TYPE app."Only Shell";
-- enumeration
CREATE TYPE app.mood AS ENUM ('sad', 'it''s \ ok');
ALTER TYPE app.mood ADD VALUE 'between' BEFORE 'it''s \ ok';
ALTER TYPE app.mood ADD VALUE 'first' BEFORE 'sad';
CREATE TYPE app.nothing AS ENUM ();
-- composite, with a dropped column, a collation, quoted names
CREATE TYPE app."Comp o" AS (a integer, b text COLLATE "C", "C d" numeric(10,2)[], gone int, e app.mood);
ALTER TYPE app."Comp o" DROP ATTRIBUTE gone;
COMMENT ON TYPE app."Comp o" IS 'whole';
COMMENT ON COLUMN app."Comp o"."C d" IS 'column';
CREATE TYPE app.empty AS ();
-- domains
CREATE COLLATION app.coll (provider = libc, locale = 'C');
COMMENT ON COLLATION app.coll IS 'coll';
CREATE COLLATION app.two (provider = libc, lc_collate = 'C', lc_ctype = 'POSIX');
CREATE DOMAIN app.plain AS integer;
CREATE DOMAIN app.name AS varchar(20) COLLATE app.coll DEFAULT 'x''y' NOT NULL CONSTRAINT z CHECK (VALUE <> '')
    CONSTRAINT a CHECK (length(VALUE) < 10);
COMMENT ON DOMAIN app.name IS 'domain';
COMMENT ON CONSTRAINT z ON DOMAIN app.name IS 'z';
CREATE DOMAIN app.over AS app.name CHECK (VALUE <> 'over');
ALTER DOMAIN app.plain ADD CONSTRAINT later CHECK (VALUE > 3) NOT VALID;
-- domain and function need each other: check, default
CREATE DOMAIN app.loopy AS integer;
CREATE FUNCTION app.is_loopy(app.loopy) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
ALTER DOMAIN app.loopy ADD CONSTRAINT loop CHECK (app.is_loopy(VALUE));
CREATE DOMAIN app.loopd AS integer CHECK (VALUE > 0);
CREATE FUNCTION app.new_loopd() RETURNS app.loopd LANGUAGE sql AS 'SELECT 1::app.loopd';
ALTER DOMAIN app.loopd SET DEFAULT app.new_loopd();
ALTER DOMAIN app.loopd SET NOT NULL;
-- a default that is taken over, one that was dropped, one that is the base type's, another one
CREATE DOMAIN app.taken AS app.name;
CREATE DOMAIN app.dropped AS app.name DEFAULT NULL;
CREATE DOMAIN app.other AS app.name DEFAULT 'z';
CREATE DOMAIN app.of_base AS app.base;
CREATE DOMAIN app.none_of_base AS app.base DEFAULT NULL;
-- a collation that only ICU can make, where the server has it
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_collation WHERE collname LIKE '%-x-icu') THEN
        CREATE COLLATION app.loose (provider = icu, locale = 'de-u-co-phonebk', deterministic = false);
    END IF;
END $$;
-- ranges
CREATE TYPE app.textrange AS RANGE (SUBTYPE = text, COLLATION = "C");
CREATE TYPE app.fr AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE FUNCTION app.tdiff(time,
    time) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT EXTRACT(epoch FROM ($1 - $2))';
CREATE TYPE app.timer AS RANGE (SUBTYPE = time, SUBTYPE_DIFF = app.tdiff);
CREATE TYPE app.canon;
CREATE FUNCTION app.canonical(app.canon) RETURNS app.canon LANGUAGE internal IMMUTABLE STRICT AS
    'int4range_canonical';
CREATE TYPE app.canon AS RANGE (SUBTYPE = integer, CANONICAL = app.canonical, SUBTYPE_DIFF = int4range_subdiff);
CREATE FUNCTION app.of_range(app.fr, app.mood[],
    "Odd" app."Comp o" DEFAULT NULL) RETURNS app.fr LANGUAGE sql AS 'SELECT $1';
-- functions
CREATE FUNCTION app.body() RETURNS text LANGUAGE plpgsql AS
    E'DECLARE\r\n  x text := $$a$$;\nBEGIN -- $function$\n\treturn ''\\n'';\nEND';
CREATE FUNCTION app.over(a integer, b text DEFAULT 'x',
    VARIADIC c integer[] DEFAULT '{}') RETURNS TABLE(x integer, "Y" text)
  LANGUAGE sql STABLE SECURITY DEFINER LEAKPROOF STRICT PARALLEL RESTRICTED COST 7 ROWS 3 SET search_path TO
    'app', 'public', '' SET work_mem TO '4MB' AS 'SELECT 1, ''x''';
CREATE FUNCTION app.over(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE PROCEDURE app.proc(INOUT a integer, b text DEFAULT NULL) LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
COMMENT ON PROCEDURE app.proc(integer, text) IS 'proc';
COMMENT ON FUNCTION app.over(text) IS 'over';
COMMENT ON FUNCTION app.fr(float8, float8) IS 'comes with the range';
COMMENT ON TYPE app._mood IS 'comes with the enumeration';
CREATE FUNCTION app.win() RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE STRICT AS 'window_row_number';
CREATE FUNCTION app."Trig"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
-- aggregates
CREATE AGGREGATE app.plain_agg(integer) (SFUNC = int4_sum, STYPE = bigint, COMBINEFUNC = int8pl, INITCOND = '0',
    PARALLEL = safe);
CREATE AGGREGATE app.star(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0', SSPACE = 100, PARALLEL = restricted);
CREATE AGGREGATE app.moving(integer) (SFUNC = int4_avg_accum, STYPE = bigint[], FINALFUNC = int8_avg,
    FINALFUNC_MODIFY = SHAREABLE, INITCOND = '{0,0}',
   MSFUNC = int4_avg_accum, MINVFUNC = int4_avg_accum_inv, MSTYPE = bigint[], MSSPACE = 48,
    MFINALFUNC = int8_avg, MFINALFUNC_MODIFY = READ_WRITE, MINITCOND = '{0,0}');
CREATE AGGREGATE app.ser(numeric) (SFUNC = numeric_avg_accum, STYPE = internal, FINALFUNC = numeric_avg,
    COMBINEFUNC = numeric_avg_combine, SERIALFUNC = numeric_avg_serialize,
    DESERIALFUNC = numeric_avg_deserialize, PARALLEL = safe);
CREATE AGGREGATE app.sorted(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal,
    FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_ONLY);
CREATE AGGREGATE app.hypo(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi,
    STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE app.big(integer) (SFUNC = int4larger, STYPE = integer, SORTOP = >);
CREATE FUNCTION app.final_extra(bigint[], integer) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT 1.0';
CREATE AGGREGATE app.extra(integer) (SFUNC = int4_avg_accum, STYPE = bigint[], FINALFUNC = app.final_extra,
    FINALFUNC_EXTRA, INITCOND = '{0,0}', MSFUNC = int4_avg_accum, MINVFUNC = int4_avg_accum_inv, MSTYPE = bigint[],
    MFINALFUNC = app.final_extra, MFINALFUNC_EXTRA, MINITCOND = '{0,0}');
COMMENT ON AGGREGATE app.star(*) IS 'star';
COMMENT ON AGGREGATE app.hypo(VARIADIC "any" ORDER BY VARIADIC "any") IS 'hypo';
-- operators
CREATE FUNCTION app.eq(app.mood, app.mood) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR app.=== (FUNCTION = app.eq, LEFTARG = app.mood, RIGHTARG = app.mood,
    COMMUTATOR = OPERATOR(app.===), NEGATOR = OPERATOR(app.!===), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR app.!=== (FUNCTION = app.eq, LEFTARG = app.mood, RIGHTARG = app.mood,
    COMMUTATOR = OPERATOR(app.!===), NEGATOR = OPERATOR(app.===));
CREATE FUNCTION app.lt(app.mood, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR app.<<< (FUNCTION = app.lt, LEFTARG = app.mood, RIGHTARG = integer,
    COMMUTATOR = OPERATOR(app.>>>), NEGATOR = OPERATOR(app.>=>));
CREATE FUNCTION app.not(app.mood) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR app.!! (FUNCTION = app.not, RIGHTARG = app.mood);
COMMENT ON OPERATOR app.!! (NONE, app.mood) IS 'bang';
CREATE OPERATOR app.~~~ (FUNCTION = app.eq, LEFTARG = app.mood, RIGHTARG = app.mood, NEGATOR = OPERATOR(app.!~~~));
DROP OPERATOR app.~~~ (app.mood, app.mood);
-- families and classes
CREATE OPERATOR FAMILY app.fam USING btree;
COMMENT ON OPERATOR FAMILY app.fam USING btree IS 'fam';
ALTER OPERATOR FAMILY app.fam USING btree ADD OPERATOR 1 < (int4, int8), FUNCTION 1 (int4, int8) btint48cmp(int4,
    int8);
CREATE OPERATOR CLASS app.cls FOR TYPE int4 USING btree FAMILY app.fam AS OPERATOR 1 <, OPERATOR 2 <=,
    OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4),
    FUNCTION 2 btint4sortsupport(internal);
CREATE FUNCTION app.moodcmp(app.mood, app.mood) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0';
CREATE OPERATOR CLASS app.moodcls DEFAULT FOR TYPE app.fixed USING gist AS STORAGE box,
    FUNCTION 1 gist_poly_consistent(internal, polygon, smallint, oid, internal);
COMMENT ON OPERATOR CLASS app.cls USING btree IS 'cls';
ALTER OPERATOR FAMILY integer_ops USING btree ADD OPERATOR 3 app.<<< (app.mood, integer), FUNCTION 1 (app.mood,
    app.mood) app.moodcmp(app.mood, app.mood);
CREATE TYPE app.clsrange AS RANGE (SUBTYPE = integer, SUBTYPE_OPCLASS = app.cls);
-- casts
CREATE FUNCTION app.to_int(app.mood) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE CAST (app.mood AS integer) WITH FUNCTION app.to_int(app.mood) AS IMPLICIT;
CREATE CAST (app.small AS boolean) WITHOUT FUNCTION;
CREATE CAST (app."Comp o" AS date) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (app.mood AS integer) IS 'cast';
-- languages, transforms, conversions, access methods
CREATE TRUSTED LANGUAGE plown HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;
CREATE LANGUAGE "plBare" HANDLER plpgsql_call_handler;
COMMENT ON LANGUAGE plown IS 'own';
CREATE FUNCTION app.inown(integer) RETURNS integer LANGUAGE plown AS 'BEGIN RETURN 1; END';
CREATE FUNCTION app.from_sql(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'prsd_lextype';
CREATE FUNCTION app.to_sql(internal) RETURNS app.small LANGUAGE internal IMMUTABLE AS 'boolrecv';
CREATE TRANSFORM FOR app.small LANGUAGE plown (FROM SQL WITH FUNCTION app.from_sql(internal),
    TO SQL WITH FUNCTION app.to_sql(internal));
CREATE TRANSFORM FOR app.mood LANGUAGE plown (FROM SQL WITH FUNCTION app.from_sql(internal));
COMMENT ON TRANSFORM FOR app.small LANGUAGE plown IS 'transform';
CREATE FUNCTION app.transformed(app.small) RETURNS integer LANGUAGE plown TRANSFORM FOR TYPE app.small AS
    'BEGIN RETURN 1; END';
CREATE DEFAULT CONVERSION app.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE CONVERSION app.conv2 FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION app.conv IS 'conv';
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD btree2 TYPE INDEX HANDLER bthandler;
COMMENT ON ACCESS METHOD btree2 IS 'am';
-- text search
CREATE TEXT SEARCH PARSER app.prs (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end,
    LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE app.tmpl (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH TEMPLATE app.tmpl0 (LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY app.dict (TEMPLATE = app.tmpl, STOPWORDS = 'english', ACCEPT = false);
CREATE TEXT SEARCH DICTIONARY app."Syn" (TEMPLATE = snowball, LANGUAGE = german);
CREATE TEXT SEARCH CONFIGURATION app.cfg (PARSER = app.prs);
ALTER TEXT SEARCH CONFIGURATION app.cfg ADD MAPPING FOR word, asciiword, "int" WITH app."Syn", app.dict, simple;
CREATE TEXT SEARCH CONFIGURATION app.cfg2 (COPY = pg_catalog.german);
ALTER TEXT SEARCH CONFIGURATION app.cfg2 ALTER MAPPING FOR word WITH app.dict, german_stem;
COMMENT ON TEXT SEARCH CONFIGURATION app.cfg IS 'cfg';
COMMENT ON TEXT SEARCH DICTIONARY app.dict IS 'dict';
COMMENT ON TEXT SEARCH PARSER app.prs IS 'prs';
COMMENT ON TEXT SEARCH TEMPLATE app.tmpl IS 'tmpl';

-- since 13
CREATE OPERATOR CLASS app.gistcls FOR TYPE box USING gist AS OPERATOR 1 <<, OPERATOR 15 <->(box,
    point) FOR ORDER BY float_ops,
  FUNCTION 1 gist_box_consistent(internal, box, smallint, oid, internal), FUNCTION 2 gist_box_union(internal,
    internal), FUNCTION 5 gist_box_penalty(internal, internal, internal),
  FUNCTION 6 gist_box_picksplit(internal, internal), FUNCTION 7 gist_box_same(box, box, internal),
    FUNCTION 8 gist_box_distance(internal, box, smallint, oid, internal);

-- since 14
CREATE FUNCTION app.atomic(a integer,
    b app.mood DEFAULT 'sad') RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT a + b::integer; SELECT CASE WHEN a
    > 1 THEN 2 ELSE 3 END; END;
CREATE FUNCTION app.ret(a integer) RETURNS integer LANGUAGE sql RETURN a + app.atomic(a);
CREATE PROCEDURE app.outs(a integer, OUT b integer) LANGUAGE sql BEGIN ATOMIC SELECT a; END;
COMMENT ON PROCEDURE app.outs(integer, OUT integer) IS 'outs';
CREATE TYPE app.named AS RANGE (SUBTYPE = date, MULTIRANGE_TYPE_NAME = app."Dates");
COMMENT ON TYPE app."Dates" IS 'multi';
CREATE TYPE app.subs;
CREATE FUNCTION app.subs_in(cstring) RETURNS app.subs LANGUAGE internal IMMUTABLE STRICT AS 'jsonb_in';
CREATE FUNCTION app.subs_out(app.subs) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'jsonb_out';
CREATE TYPE app.subs (INPUT = app.subs_in, OUTPUT = app.subs_out, SUBSCRIPT = jsonb_subscript_handler);
CREATE FUNCTION app.mutual(x integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.mutual2(x integer) RETURNS integer LANGUAGE sql RETURN app.mutual(x);

COMMENT ON CAST (app.fr AS app.fr_multirange) IS 'comes with the range';
-- functions that need each other
CREATE FUNCTION app.even(x integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION app.odd(x integer DEFAULT 1) RETURNS boolean LANGUAGE sql
    BEGIN ATOMIC SELECT CASE WHEN x = 0 THEN false ELSE app.even(x - 1) END; END;
CREATE OR REPLACE FUNCTION app.even(x integer) RETURNS boolean LANGUAGE sql
    RETURN CASE WHEN x = 0 THEN true ELSE app.odd(x - 1) END;

-- since 17
CREATE DOMAIN app.nn AS integer CONSTRAINT "must be" NOT NULL CONSTRAINT c CHECK (VALUE > 1);
CREATE DOMAIN app.nn2 AS integer CONSTRAINT nn2_not_null NOT NULL;
COMMENT ON CONSTRAINT "must be" ON DOMAIN app.nn IS 'nn';
COMMENT ON CONSTRAINT nn2_not_null ON DOMAIN app.nn2 IS 'nn2';
CREATE COLLATION app.built (provider = builtin, locale = 'C.UTF-8');
