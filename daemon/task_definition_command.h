/* task_definition_command: `portico task-definition ...`, what it can do without a Portico that runs. */
#ifndef DAEMON_TASK_DEFINITION_COMMAND_H
#define DAEMON_TASK_DEFINITION_COMMAND_H

int task_definition_command(int argc, char **argv); /* what follows the word; the exit code */

#endif
