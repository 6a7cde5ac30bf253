package textedit.core

/**
 * A JSON value as the bundle's contract reads it: strict RFC 8259 and no repeated keys.
 *
 * Android's `org.json` keeps the last of repeated keys and is absent from a plain JVM, and kotlinx.serialization needs a compiler plugin
 * in every app that embeds this module; neither can refuse what the contract refuses.
 */
sealed interface Json {
    data class Object(val fields: Map<String, Json>) : Json
    data class Array(val items: List<Json>) : Json
    data class Text(val value: String) : Json
    data class Flag(val value: Boolean) : Json
    data object Null : Json

    /** A number by its literal, so that an integer stays one and nothing is rounded before it is asked for. */
    data class Number(val literal: String) : Json {
        val isInteger: Boolean get() = literal.none { it in ".eE" }
    }

    /** The value as UTF-8 JSON text, two spaces of indent. */
    fun render(): String = buildString { JsonWriter(this).write(this@Json, 0) }

    companion object {
        /**
         * Parses one JSON document.
         *
         * @throws JsonException not UTF-8, not JSON, nested deeper than 64, or an object that repeats a key.
         */
        fun parse(bytes: ByteArray): Json {
            val decoder = Charsets.UTF_8.newDecoder()
            val text = try {
                decoder.decode(java.nio.ByteBuffer.wrap(bytes)).toString()
            } catch (_: java.nio.charset.CharacterCodingException) {
                throw JsonException("the bytes are not UTF-8")
            }
            return JsonParser(text).document()
        }

        fun of(value: String): Json = Text(value)

        fun of(value: Int): Json = of(value.toLong())

        fun of(value: Long): Json = Number(value.toString())

        /** @throws IllegalArgumentException NaN and infinity have no form in JSON. */
        fun of(value: Double): Json {
            require(value.isFinite()) { "$value is not a JSON number" }
            return Number(value.toString())
        }

        fun obj(vararg fields: Pair<String, Json>): Json = Object(linkedMapOf(*fields))
    }
}

/** Text that is no JSON document. */
class JsonException(message: String) : Exception(message)

private const val MAX_DEPTH = 64

private class JsonParser(private val text: String) {
    private var at = 0

    fun document(): Json {
        val value = value(depth = 0)
        skipSpace()
        if (at != text.length) fail("text after the end")
        return value
    }

    private fun value(depth: Int): Json {
        if (depth > MAX_DEPTH) fail("nested deeper than $MAX_DEPTH")
        skipSpace()
        return when (peek()) {
            '{' -> objectAt(depth)
            '[' -> arrayAt(depth)
            '"' -> Json.Text(string())
            't' -> literal("true", Json.Flag(true))
            'f' -> literal("false", Json.Flag(false))
            'n' -> literal("null", Json.Null)
            else -> number()
        }
    }

    private fun objectAt(depth: Int): Json {
        val fields = linkedMapOf<String, Json>()
        members('}') {
            skipSpace()
            val key = string()
            skipSpace()
            expect(':')
            if (fields.put(key, value(depth + 1)) != null) fail("an object repeats the key \"$key\"")
        }
        return Json.Object(fields)
    }

    private fun arrayAt(depth: Int): Json = Json.Array(buildList { members(']') { add(value(depth + 1)) } })

    private inline fun members(close: Char, member: () -> Unit) {
        at++
        skipSpace()
        if (peek() == close) {
            at++
            return
        }
        while (true) {
            member()
            skipSpace()
            if (peek() == close) {
                at++
                return
            }
            expect(',')
        }
    }

    private fun string(): String {
        expect('"')
        val result = StringBuilder()
        while (true) {
            val char = next()
            when {
                char == '"' -> return result.toString()
                char < ' ' -> fail("a control character inside a string")
                char == '\\' -> result.append(escape())
                else -> result.append(char)
            }
        }
    }

    private fun escape(): Char = when (val char = next()) {
        '"', '\\', '/' -> char
        'b' -> '\b'
        'f' -> '\u000C'
        'n' -> '\n'
        'r' -> '\r'
        't' -> '\t'
        'u' -> {
            val digits = text.substring(at, minOf(at + 4, text.length))
            if (digits.length < 4 || !digits.all { it in HEX_DIGITS }) fail("a broken \\u escape")
            at += 4
            digits.toInt(16).toChar()
        }
        else -> fail("the escape \\$char")
    }

    private fun number(): Json {
        val match = NUMBER.matchAt(text, at) ?: fail("no value")
        at = match.range.last + 1
        return Json.Number(match.value)
    }

    private fun literal(word: String, value: Json): Json {
        if (!text.startsWith(word, at)) fail("no value")
        at += word.length
        return value
    }

    private fun skipSpace() {
        while (at < text.length && text[at] in " \t\r\n") at++
    }

    private fun peek(): Char = if (at < text.length) text[at] else fail("the text ends early")

    private fun next(): Char = peek().also { at++ }

    private fun expect(char: Char) {
        if (next() != char) {
            at--
            fail("expected '$char'")
        }
    }

    private fun fail(what: String): Nothing = throw JsonException("$what at character $at")

    private companion object {
        const val HEX_DIGITS = "0123456789abcdefABCDEF"
        val NUMBER = Regex("""-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?""")
    }
}

private class JsonWriter(private val out: StringBuilder) {
    fun write(value: Json, depth: Int) {
        when (value) {
            is Json.Object -> block("{", "}", value.fields.entries, depth) { (key, field) ->
                quote(key)
                out.append(": ")
                write(field, depth + 1)
            }
            is Json.Array -> block("[", "]", value.items, depth) { write(it, depth + 1) }
            is Json.Text -> quote(value.value)
            is Json.Number -> out.append(value.literal)
            is Json.Flag -> out.append(value.value)
            Json.Null -> out.append("null")
        }
    }

    private fun <T> block(open: String, close: String, members: Collection<T>, depth: Int, member: (T) -> Unit) {
        out.append(open)
        members.forEachIndexed { index, each ->
            out.append(if (index == 0) "\n" else ",\n").append("  ".repeat(depth + 1))
            member(each)
        }
        if (members.isNotEmpty()) out.append("\n").append("  ".repeat(depth))
        out.append(close)
    }

    private fun quote(text: String) {
        out.append('"')
        for (char in text) {
            when {
                char == '"' || char == '\\' -> out.append('\\').append(char)
                char < ' ' -> out.append("\\u%04x".format(char.code))
                else -> out.append(char)
            }
        }
        out.append('"')
    }
}
