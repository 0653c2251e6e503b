/* The commands of `typeauth`: each takes what follows its name and returns
 * the process's exit status (0 good, 1 failed, 2 wrong usage). */
#ifndef MAIN_COMMAND_H
#define MAIN_COMMAND_H

int command_init(int argc, char **argv);
int command_serve(int argc, char **argv);
int command_key(int argc, char **argv);
int command_check(int argc, char **argv);
int command_jwt(int argc, char **argv);
int command_schema(int argc, char **argv);
int command_data(int argc, char **argv);
int command_simulate(int argc, char **argv);
int command_settings(int argc, char **argv);

#endif
