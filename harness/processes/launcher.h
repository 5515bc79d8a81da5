#pragma once

#include <functional>
#include <string>

namespace plumb::harness {

/// Whether a launcher started this process together with others, by the variables that it sets.
enum class Launch {
  kAlone,
  kMpi,    ///< mpirun, or srun with PMI: MPI knows the others
  kNoPmi,  ///< srun started several, which cannot find each other
};

/// `value_of`: an environment variable, or "".
///
/// mpirun sets OMPI_COMM_WORLD_SIZE (Open MPI) or PMI_SIZE, srun --mpi=pmi2 PMI_SIZE, srun --mpi=pmix PMIX_RANK. srun alone
/// sets SLURM_STEP_NUM_TASKS; a script of sbatch that runs the program without srun has SLURM_NTASKS only.
Launch find_launch(const std::function<std::string(const char*)>& value_of);
Launch find_launch();  ///< of this process

}  // namespace plumb::harness
