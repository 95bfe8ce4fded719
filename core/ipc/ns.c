/* IPC namespaces: their limits' defaults, as Linux has them (uapi/linux/{sem,msg,shm}.h), and their end. */
#include "ipc.h"
#include <stdlib.h>

struct ipc_namespace *ipc_ns_new(struct user_namespace *owner) {
  struct ipc_namespace *ns = calloc(1, sizeof *ns);
  if (!ns || ns_init(&ns->ns, owner->ns.k, NS_IPC, owner)) {
    free(ns);
    return NULL;
  }
  for (int i = 0; i < IPC_KINDS; i++)
    ns->ids[i].max_idx = ns->ids[i].last_idx = -1;
  ns->sem_msl = 32000;
  ns->sem_mns = 1024000000;
  ns->sem_opm = 500;
  ns->sem_mni = 32000;
  ns->msg_max = 8192;
  ns->msg_mnb = 16384;
  ns->msg_mni = 32000;
  ns->shm_max = ns->shm_all = UINT64_MAX - (1ull << 24);
  ns->shm_mni = 4096;
  return ns;
}

struct ipc_namespace *ipc_ns_get(struct ipc_namespace *ns) {
  ns_get(&ns->ns);
  return ns;
}

void ipc_ns_put(struct ipc_namespace *ns) {
  ns_put(ns ? &ns->ns : NULL);
}

void ipc_ns_clear(struct ipc_namespace *ns) {
  ipc_all_remove(ns, IPC_SEM, sem_rmid);
  ipc_all_remove(ns, IPC_MSG, msg_rmid);
  ipc_all_remove(ns, IPC_SHM, shm_rmid);
  if (ns->mq)
    ns->mq_free(ns->mq);
}
