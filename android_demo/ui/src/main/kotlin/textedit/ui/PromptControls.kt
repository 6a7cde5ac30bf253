package textedit.ui

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.lazy.LazyRow
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.FilterChip
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Slider
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalConfiguration
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.semantics.stateDescription
import androidx.compose.ui.unit.dp
import textedit.core.Prompt
import textedit.core.StrengthRange

/** A chip for each prompt, in the language of the screen; [chosen] is the one that the slider is for. */
@Composable
fun PromptChips(prompts: List<Prompt>, chosen: String?, enabled: Boolean, onChoose: (String) -> Unit, modifier: Modifier = Modifier) {
    val language = LocalConfiguration.current.locales[0].toLanguageTag()
    LazyRow(modifier, horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        items(prompts, key = { it.id }) { prompt ->
            FilterChip(
                selected = prompt.id == chosen,
                onClick = { onChoose(prompt.id) },
                label = { Text(prompt.displayName(language)) },
                enabled = enabled,
            )
        }
    }
}

/**
 * The slider of one prompt.
 *
 * @param label what it sets, and [percent] how far it is set, as the user reads them.
 * @param onChange called with the strength, and true while the slider is held; once with false when it is let go.
 */
@Composable
fun StrengthSlider(
    strength: Float,
    range: StrengthRange,
    label: String,
    percent: String,
    enabled: Boolean,
    onChange: (strength: Float, moving: Boolean) -> Unit,
) {
    // What is let go is the last move, which this composition may not have seen yet.
    val newest = remember { FloatArray(1) }
    Text("$label: $percent", style = MaterialTheme.typography.labelLarge)
    Slider(
        value = strength,
        onValueChange = {
            newest[0] = it
            onChange(it, true)
        },
        onValueChangeFinished = { onChange(newest[0], false) },
        valueRange = range.minimum..range.maximum,
        enabled = enabled,
        modifier = Modifier.semantics {
            contentDescription = label
            stateDescription = percent
        },
    )
}
