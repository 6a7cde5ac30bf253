package textedit.core

/** How far a prompt goes, unitless: 0 is the face as the decoder reconstructs it, 1 the edit as trained. */
data class StrengthRange(val default: Float, val minimum: Float, val maximum: Float) {
    /**
     * The strength to apply when [asked] for one; null asks for the default.
     *
     * @throws IllegalArgumentException [asked] is outside the prompt's range or no number; the message names both.
     */
    fun used(asked: Float?): Float {
        val strength = asked ?: default
        require(strength in minimum..maximum) { "strength $strength is outside $minimum to $maximum" }
        return strength
    }
}

/** `w_plus + strength * delta_w`, number by number; a new array. */
fun applyEdit(wPlus: FloatArray, deltaW: FloatArray, strength: Float): FloatArray {
    require(wPlus.size == deltaW.size) { "w_plus has ${wPlus.size} numbers, delta_w ${deltaW.size}" }
    return FloatArray(wPlus.size) { wPlus[it] + strength * deltaW[it] }
}
