package textedit.demo

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.lazy.LazyRow
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.selection.toggleable
import androidx.compose.material3.Button
import androidx.compose.material3.FilterChip
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Slider
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalConfiguration
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.semantics.stateDescription
import androidx.compose.ui.unit.dp
import textedit.core.Prompt
import textedit.core.StrengthRange

@Composable
fun EditControls(state: EditorState, actions: EditActions, modifier: Modifier = Modifier) {
    Column(modifier, verticalArrangement = Arrangement.spacedBy(8.dp)) {
        Progress(state)
        PromptChips(state.prompts, state.promptId, enabled = state.original != null, actions.choosePrompt)
        state.prompt?.let { StrengthSlider(state.strength, it.strength, enabled = state.original != null, actions.setStrength) }
        KeepDetail(state.keepDetail, actions.setKeepDetail)
        Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
            Button(onClick = actions.pick, enabled = state.prompts.isNotEmpty()) { Text(stringResource(R.string.pick_photo)) }
            OutlinedButton(onClick = actions.save, enabled = state.canSave) { Text(stringResource(R.string.save)) }
            OutlinedButton(onClick = actions.share, enabled = state.canSave) { Text(stringResource(R.string.share)) }
        }
    }
}

/** Says what is going on, to TalkBack as well when it changes. */
@Composable
private fun Progress(state: EditorState) {
    val text = when {
        state.work != null -> stringResource(state.work.label)
        !state.foundFace -> stringResource(R.string.no_face)
        else -> ""
    }
    Text(text, Modifier.semantics { liveRegion = LiveRegionMode.Polite }, style = MaterialTheme.typography.bodyMedium)
    if (state.work != null) LinearProgressIndicator(Modifier.fillMaxWidth())
}

@Composable
private fun PromptChips(prompts: List<Prompt>, chosen: String?, enabled: Boolean, onChoose: (String) -> Unit) {
    val language = LocalConfiguration.current.locales[0].toLanguageTag()
    LazyRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
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

@Composable
private fun StrengthSlider(strength: Float, range: StrengthRange, enabled: Boolean, onChange: (Float) -> Unit) {
    val label = stringResource(R.string.strength)
    val percent = stringResource(R.string.percent, Math.round(strength * 100))
    Text("$label: $percent", style = MaterialTheme.typography.labelLarge)
    Slider(
        value = strength,
        onValueChange = onChange,
        valueRange = range.minimum..range.maximum,
        enabled = enabled,
        modifier = Modifier.semantics {
            contentDescription = label
            stateDescription = percent
        },
    )
}

@Composable
private fun KeepDetail(checked: Boolean, onChange: (Boolean) -> Unit) {
    Row(
        Modifier.fillMaxWidth().toggleable(checked, role = Role.Switch, onValueChange = onChange),
        horizontalArrangement = Arrangement.SpaceBetween,
        verticalAlignment = Alignment.CenterVertically,
    ) {
        Text(stringResource(R.string.keep_detail))
        Switch(checked, onCheckedChange = null)
    }
}
