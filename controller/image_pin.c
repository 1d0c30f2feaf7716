#include "controller/image_pin.h"

#include <stdio.h>
#include <string.h>

#include "discovery/revision.h"

void image_pin_begin(struct image_pin *pin)
{
    *pin = (struct image_pin){ .phase = IMAGE_DUE };
}

void image_pin_recall(struct image_pin *pin, const char *id)
{
    pin->phase = id != NULL ? IMAGE_SETTLED : IMAGE_LOOKING;
    snprintf(pin->id, sizeof pin->id, "%s", id != NULL ? id : "");
    pin->memory = IMAGE_SAVED;
}

void image_pin_doubt(struct image_pin *pin)
{
    pin->phase = IMAGE_DUE;
}

void image_pin_ask(struct image_pin *pin, uint64_t question)
{
    pin->phase = IMAGE_ASKED;
    pin->question = question;
}

bool image_pin_awaits(const struct image_pin *pin, uint64_t question)
{
    return pin->phase == IMAGE_ASKED && pin->question == question;
}

void image_pin_settle(struct image_pin *pin, const char *id)
{
    pin->phase = IMAGE_SETTLED;
    if (id[0] == '\0' || strcmp(id, pin->id) == 0)
        return;
    snprintf(pin->id, sizeof pin->id, "%s", id);
    pin->memory = IMAGE_UNSAVED; /* also where the store refused the one before: it may take this one */
}

void image_pin_note_saved(struct image_pin *pin, bool is_saved)
{
    pin->memory = is_saved ? IMAGE_SAVED : IMAGE_REFUSED;
}

bool image_pin_is_open(const struct image_pin *pin, int64_t desired_count)
{
    return (pin->phase == IMAGE_DUE || pin->phase == IMAGE_ASKED) && (desired_count > 0 || pin->id[0] != '\0');
}

bool image_pin_lets_create(const struct image_pin *pin)
{
    return pin->memory != IMAGE_UNSAVED && (pin->phase == IMAGE_SETTLED || pin->id[0] != '\0');
}

enum image_sight image_pin_look(const struct observed_task *tasks, size_t n, const char *definition,
                                char id[TASK_IMAGE_ID_SIZE])
{
    enum image_sight sight = IMAGE_SIGHT_NONE;
    id[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const struct task_spec *spec = &tasks[i].task->spec;
        bool is_alive = spec->state == TASK_PENDING || spec->state == TASK_RUNNING;
        if (!spec->managed || !is_alive || spec->image_id[0] == '\0' || !revision_is_same(spec->revision, definition))
            continue;
        if (sight == IMAGE_SIGHT_NONE)
            snprintf(id, TASK_IMAGE_ID_SIZE, "%s", spec->image_id);
        else if (strcmp(id, spec->image_id) != 0)
            return IMAGE_SIGHT_SEVERAL;
        sight = IMAGE_SIGHT_ONE;
    }
    return sight;
}
