package textedit.demo

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.selection.toggleable
import androidx.compose.material3.Button
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.alpha
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import textedit.ui.PromptChips
import textedit.ui.StrengthSlider

@Composable
fun EditControls(state: EditorState, saving: Boolean, actions: EditActions, modifier: Modifier = Modifier) {
    Column(modifier, verticalArrangement = Arrangement.spacedBy(8.dp)) {
        Progress(state, saving)
        PromptChips(state.prompts, state.promptId, state.canEdit, actions.choosePrompt)
        state.prompt?.let { prompt ->
            val strength = state.strengths[prompt.id] ?: 0f
            val percent = stringResource(R.string.percent, Math.round(strength * 100))
            StrengthSlider(strength, prompt.strength, stringResource(R.string.strength), percent, state.canEdit, actions.setStrength)
        }
        if (!state.drawsOnPhoto) KeepDetail(state.keepDetail, actions.setKeepDetail)
        History(state.photo, actions)
        FileButtons(state, saving, actions)
    }
}

/** Says what is going on, to TalkBack as well when it changes; an edit is quick and says nothing. Its height stays the same. */
@Composable
private fun Progress(state: EditorState, saving: Boolean) {
    val photo = state.photo
    val text = when {
        state.failure != null -> stringResource(state.failure.text, state.failure.detail)
        state.work != null -> stringResource(state.work.label)
        saving -> stringResource(R.string.saving)
        photo != null && photo.chosen == null -> stringResource(if (photo.faces.isEmpty()) R.string.no_face else R.string.choose_face)
        else -> ""
    }
    val busy = state.failure == null && (state.work != null || saving)
    Text(text, Modifier.semantics { liveRegion = LiveRegionMode.Polite }, style = MaterialTheme.typography.bodyMedium)
    LinearProgressIndicator(Modifier.fillMaxWidth().height(4.dp).alpha(if (busy) 1f else 0f))
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

@Composable
private fun History(photo: ShownPhoto?, actions: EditActions) {
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        TextButton(onClick = actions.undo, enabled = photo?.canUndo == true) { Text(stringResource(R.string.undo)) }
        TextButton(onClick = actions.redo, enabled = photo?.canRedo == true) { Text(stringResource(R.string.redo)) }
        TextButton(onClick = actions.reset, enabled = photo?.edited != null) { Text(stringResource(R.string.reset)) }
    }
}

/** Wraps where large letters need the room. */
@Composable
private fun FileButtons(state: EditorState, saving: Boolean, actions: EditActions) {
    val canSave = state.photo?.edited != null && !saving
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        if (state.failure != null) {
            Button(onClick = actions.retry) { Text(stringResource(R.string.retry)) }
        } else {
            Button(onClick = actions.pick, enabled = state.prompts.isNotEmpty()) { Text(stringResource(R.string.pick_photo)) }
        }
        OutlinedButton(onClick = actions.save, enabled = canSave) { Text(stringResource(R.string.save)) }
        OutlinedButton(onClick = actions.share, enabled = canSave) { Text(stringResource(R.string.share)) }
    }
}
