package textedit.core

/** A JSON value and where it stands, so that what breaks the schema is named by its path. */
internal class JsonFields(private val value: Json, private val path: String = "") {
    /** The object's fields, which are exactly [names]; a name that ends in `?` may be missing, `*` allows any others. */
    fun fields(vararg names: String): Map<String, JsonFields> {
        val fields = (value as? Json.Object ?: fail("is no object")).fields
        names.filterNot { it == "*" || it.endsWith("?") }.forEach { if (it !in fields) fail("lacks '$it'") }
        val known = names.map { it.removeSuffix("?") }
        if ("*" !in known) fields.keys.forEach { if (it !in known) fail("has the unknown field '$it'") }
        return members(fields)
    }

    fun anyFields(): Map<String, JsonFields> = members((value as? Json.Object ?: fail("is no object")).fields)

    fun items(size: IntRange = 0..Int.MAX_VALUE): List<JsonFields> {
        val items = (value as? Json.Array ?: fail("is no array")).items
        if (items.size !in size) fail("has ${items.size} items")
        return items.mapIndexed { index, item -> JsonFields(item, below("$index")) }
    }

    fun text(pattern: Regex? = null, length: IntRange = 0..Int.MAX_VALUE): String {
        val text = (value as? Json.Text ?: fail("is no string")).value
        if (pattern != null && !pattern.matches(text)) fail("has the value '${text.take(80)}'")
        if (text.codePointCount(0, text.length) !in length) fail("has ${text.length} characters")
        return text
    }

    fun oneOf(vararg allowed: String): String =
        text().also { if (it !in allowed) fail("is '${it.take(80)}', none of ${allowed.joinToString()}") }

    fun whole(range: LongRange): Long {
        val number = value as? Json.Number ?: fail("is no number")
        val whole = if (number.isInteger) number.literal.toLongOrNull() else null
        if (whole == null || whole !in range) fail("is ${number.literal}")
        return whole
    }

    fun number(minimum: Double = Double.NEGATIVE_INFINITY): Double {
        val number = value as? Json.Number ?: fail("is no number")
        val double = number.literal.toDouble()
        return if (double.isFinite() && double >= minimum) double else fail("is ${number.literal}")
    }

    fun <T> orNull(read: JsonFields.() -> T): T? = if (value == Json.Null) null else read()

    private fun members(fields: Map<String, Json>) = fields.mapValues { (name, field) -> JsonFields(field, below(name)) }

    private fun below(step: String) = if (path.isEmpty()) step else "$path/$step"

    private fun fail(what: String): Nothing =
        throw BundleException("${Manifest.FILE} breaks the bundle schema at ${path.ifEmpty { "top level" }}: it $what")
}
